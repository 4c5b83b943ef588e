"""Leave the reason of the agent's end where the kubelet looks for a container's last word (terminationMessagePath)."""

import os
from pathlib import Path

from zaum_api import documents


def leave(path: Path, word: documents.LastWord) -> str:
    """Write one line over what is there; give what went wrong, empty when nothing did."""
    return _write(path, word.write())


def take_back(path: Path) -> str:
    """Empty the file; give what went wrong, empty when nothing did."""
    return _write(path, b"")


def _write(path: Path, content: bytes) -> str:
    """Write over a file that is there.

    The kubelet has made the file; where it is missing there is nobody to read it, and none is made. Whatever else
    the path turns out to be is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ""
