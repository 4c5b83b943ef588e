"""Leave the reason of the latch where the kubelet looks for a container's last word (terminationMessagePath)."""

import os
from pathlib import Path

from zaum_api import contract


def leave(path: Path, breach: contract.Breach) -> str:
    """Write one line over what is there; give what went wrong, empty when nothing did.

    The kubelet has made the file; where it is missing there is nobody to read it, and none is made. Whatever else
    the path turns out to be is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{breach.value}\n".encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ""
