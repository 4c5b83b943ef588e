"""A volume as the kubelet keeps it: every change swaps all files at once, by renaming one link."""

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path


class Volume:
    """A projected volume at `root`; paths may have directories."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._numbers = itertools.count(1)
        root.mkdir(parents=True, exist_ok=True)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Show these files and no others, from one moment to the next."""
        fresh = self.root / f"..{next(self._numbers):06d}"
        for path, content in files.items():
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        fresh.mkdir(exist_ok=True)
        data = self.root / "..data"
        before = data.resolve() if data.is_symlink() else None
        link = self.root / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(data)
        self._show({Path(path).parts[0] for path in files})
        if before is not None:
            shutil.rmtree(before)

    def read(self) -> dict[str, bytes]:
        """Give all files by path."""
        data = self.root / "..data"
        found = (path for path in data.resolve().rglob("*") if path.is_file())
        return {str(path.relative_to(data.resolve())): path.read_bytes() for path in found}

    def mounted(self, part: str = "") -> dict[str, bytes]:
        """Give the files of a directory, as `write` is told of them elsewhere: `tls.crt` as `tls_crt`."""
        found = self.read() if (self.root / "..data").is_symlink() else {}
        prefix = f"{part}/" if part else ""
        return {
            path.removeprefix(prefix).replace(".", "_"): content
            for path, content in found.items()
            if path.startswith(prefix)
        }

    def _show(self, names: set[str]) -> None:
        for name in names:
            link = self.root / name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / name)
        for link in self.root.iterdir():
            if link.is_symlink() and not link.name.startswith("..") and link.name not in names:
                link.unlink()
