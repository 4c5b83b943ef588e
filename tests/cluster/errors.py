"""Name what can go wrong with a cluster so that the reader knows what to do about it."""

from typing import Final


class ClusterError(Exception):
    """Say what failed and what to do; the command line prints it without a traceback."""


class MissingPrerequisite(ClusterError):  # noqa: N818 - reads as what it says
    """Name a tool or a right that the machine lacks; raised before anything is started."""


LOG_TAIL_LINES: Final = 15
