"""Build the Go tools into the cache outside the tree; a folder there is complete or absent."""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from tests.cluster import errors, gomodules, processes, progress

UNFINISHED: Final = ".unfinished-"
SOURCES: Final = Path(__file__).parent / "modules"
SAY_EVERY_SECONDS: Final = 15.0


def cache_root() -> Path:
    """Return the folder for everything that outlives a run: $ZAUM_CACHE, else ~/.cache/zaum."""
    return Path(os.environ.get("ZAUM_CACHE") or Path.home() / ".cache" / "zaum").expanduser().absolute()


@functools.cache
def target(module: gomodules.GoModule) -> Path:
    """Return the cache folder of a module's binaries, whether it exists or not."""
    source = SOURCES / module.name
    key = gomodules.cache_key(module, (source / "go.mod").read_text(), (source / "go.sum").read_text())
    return cache_root() / "bin" / key


def binary(name: str) -> Path:
    """Return where the binary of that name lies once built; ClusterError for an unknown name."""
    for module in gomodules.MODULES:
        if name in module.binaries:
            return target(module) / name
    known = ", ".join(sorted(name for module in gomodules.MODULES for name in module.binaries))
    raise errors.ClusterError(f"no binary is called {name!r}; known are {known}")


def search_path() -> str:
    """Return the cache folders as a PATH prefix."""
    return os.pathsep.join(str(target(module)) for module in gomodules.MODULES)


def build_all() -> None:
    """Build every module of a node that is not in the cache yet."""
    build_missing([module for module in gomodules.MODULES if not module.on_demand])


def ensure(*names: str) -> None:
    """Build the modules of some binaries as far as they are not in the cache yet."""
    build_missing([module for module in gomodules.MODULES if set(names) & set(module.binaries)])


def build_missing(wanted: Iterable[gomodules.GoModule]) -> None:
    """Build modules one at a time, one run at a time; what a killed run left half done is removed."""
    missing = [module for module in wanted if not target(module).is_dir()]
    if not missing:
        return
    folder = cache_root() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover)
        for module in missing:
            if not target(module).is_dir():
                build(module)


def build(module: gomodules.GoModule) -> None:
    """Build one module into a temporary folder beside its target, then rename it there."""
    source, final = SOURCES / module.name, target(module)
    go_mod = (source / "go.mod").read_text()
    progress.say(f"building {module.name}: {', '.join(module.binaries)} ...")
    with progress.step(f"built {module.name}"), unfinished(final.parent) as folder:
        output = folder / "out"
        output.mkdir()
        environment = os.environ | gomodules.build_environment(module)
        arguments = gomodules.build_arguments(module, go_mod)
        if module.edit is not None:
            arguments.append(f"-modfile={edited(module, module.edit, folder)}")
        command = ["go", "build", "-v", *arguments, "-o", f"{output}/", "tool"]
        with subprocess.Popen(command, cwd=source, env=environment, stderr=subprocess.PIPE, text=True) as compiler:
            assert compiler.stderr is not None
            tail = follow(module.name, compiler.stderr)
        if compiler.returncode != 0:
            raise errors.ClusterError(f"go build of {module.name} failed:\n" + "\n".join(tail))
        for made, wanted in module.renames:
            (output / made).rename(output / wanted)
        missing = [name for name in module.binaries if not (output / name).is_file()]
        if missing:
            raise errors.ClusterError(f"go build of {module.name} made no {', '.join(missing)}")
        output.rename(final)


def edited(module: gomodules.GoModule, edit: gomodules.Edit, folder: Path) -> Path:
    """Copy the dependency that a module edits into `folder`, edit it, and return a go.mod that leads to the copy."""
    source, copy, made = SOURCES / module.name, folder / "edited", folder / "edited.mod"
    variables = [f"{name}={value}" for name, value in gomodules.build_environment(module).items()]
    download = processes.run("env", *variables, "go", "-C", source, "mod", "download", "-json", edit.module)
    # Go keeps what it downloads read-only; the copy is to be changed and removed.
    processes.run("cp", "-r", "--no-preserve=mode", json.loads(download.stdout)["Dir"], copy)
    place = copy / edit.file
    try:
        place.write_text(edit.applied(place.read_text()))
    except ValueError as error:
        raise errors.ClusterError(f"{module.name} cannot be built: {error}") from None
    made.write_text(f"{(source / 'go.mod').read_text()}\nreplace {edit.module} => {copy}\n")
    shutil.copyfile(source / "go.sum", folder / "edited.sum")
    return made


@contextlib.contextmanager
def unfinished(parent: Path) -> Iterator[Path]:
    """Make a folder for a build that is not done yet, on the file system of the finished ones."""
    with tempfile.TemporaryDirectory(dir=parent, prefix=UNFINISHED) as folder:
        yield Path(folder)


def follow(name: str, stream: IO[str]) -> list[str]:
    """Count the packages that the compiler names, say so now and then, and return its last lines."""
    began = said = time.monotonic()
    tail: list[str] = []
    for count, line in enumerate(stream, start=1):
        tail = [*tail, line.rstrip()][-errors.LOG_TAIL_LINES :]
        if (now := time.monotonic()) - said >= SAY_EVERY_SECONDS:
            said = now
            progress.say(f"building {name} ... {count} packages, {progress.clock(now - began)}")
    return tail


def target_of(name: str) -> Path:
    """Return the cache folder in which the binary of that name lies once built."""
    return binary(name).parent
