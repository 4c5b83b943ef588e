"""Where packages and code come from: a package index (PEP 503) with two wheels, and a git repository by plain HTTP.

All of it is made in memory at the first request, from nothing but this text.
"""

import base64
import functools
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

from tests.cluster.world import http1

VERSION: Final = "1.0"
WHEELS: Final[Mapping[str, tuple[str, ...]]] = {"world-greeting": ("world-words",), "world-words": ()}
"""Project → the projects that it requires."""
REPOSITORY: Final = "/git/greeting.git"
GIT_FILES: Final[Mapping[str, bytes]] = {"README": b"Hello from the world.\n", "greet.py": b"print('hello')\n"}
BRANCH: Final = "refs/heads/main"
_EPOCH: Final = (2026, 1, 1, 0, 0, 0)


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request."""
    if request.method not in {"GET", "HEAD"}:
        return http1.Answer(status=405, body=b"Read only.\n")
    body, content_type = site().get(request.path, (b"", ""))
    if not content_type:
        return http1.Answer(status=404, body=b"Nothing here.\n")
    return http1.Answer(status=200, body=body, content_type=content_type)


@functools.cache
def site() -> Mapping[str, tuple[bytes, str]]:
    """Give every path with its content and type."""
    page, binary = "text/html", "application/octet-stream"
    pages = {"/simple/": (_links((f"/simple/{name}/", name) for name in WHEELS), page)}
    for name, needs in WHEELS.items():
        wheel, file = make_wheel(name, needs), wheel_name(name)
        target = f"/wheels/{file}#sha256={hashlib.sha256(wheel).hexdigest()}"
        pages[f"/simple/{name}/"] = (_links([(target, file)]), page)
        pages[f"/wheels/{file}"] = (wheel, binary)
    return pages | {f"{REPOSITORY}/{path}": (content, binary) for path, content in make_repository(GIT_FILES).items()}


def wheel_name(project: str) -> str:
    """Give a wheel's file name (PEP 427)."""
    return f"{_module(project)}-{VERSION}-py3-none-any.whl"


def make_wheel(project: str, needs: tuple[str, ...]) -> bytes:
    """Make a wheel of one module that says its name."""
    module = _module(project)
    info = f"{module}-{VERSION}.dist-info"
    required = "".join(f"Requires-Dist: {name}\n" for name in needs)
    files = {
        f"{module}.py": f"NAME = {project!r}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {VERSION}\n{required}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: world\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    listed = "".join(f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items())
    files[f"{info}/RECORD"] = f"{listed}{info}/RECORD,,\n".encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content)
    return written.getvalue()


def make_repository(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make a repository of one commit as git's dumb HTTP protocol reads it: path below it → content."""
    objects: dict[str, bytes] = {}
    blobs = {name: _store(objects, "blob", content) for name, content in files.items()}
    entries = b"".join(b"100644 " + name.encode() + b"\0" + bytes.fromhex(blobs[name]) for name in sorted(blobs))
    tree = _store(objects, "tree", entries)
    who = "World <world@example.com> 1767225600 +0000"
    commit = _store(objects, "commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nGreet\n".encode())
    return objects | {
        "HEAD": f"ref: {BRANCH}\n".encode(),
        "info/refs": f"{commit}\t{BRANCH}\n".encode(),
        "objects/info/packs": b"\n",
        BRANCH: f"{commit}\n".encode(),
    }


def _store(objects: dict[str, bytes], kind: str, content: bytes) -> str:
    whole = f"{kind} {len(content)}\0".encode() + content
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    objects[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(whole)
    return name


def _links(targets: Iterable[tuple[str, str]]) -> bytes:
    anchors = "".join(f'<a href="{target}">{text}</a>\n' for target, text in targets)
    return f"<!DOCTYPE html><html><body>\n{anchors}</body></html>\n".encode()


def _module(project: str) -> str:
    return project.replace("-", "_")


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
