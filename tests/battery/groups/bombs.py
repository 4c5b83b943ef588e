"""Group 12: take all that a machine has. What ends each is a detector, the kubelet, the kernel, or its own bounds."""

from typing import Any, Final

from tests.battery.ends import Due, End
from tests.battery.wild import By, Deed, Scene
from tests.support.e2e.api import Object
from zaum_api import contract

Breach = contract.Breach
BREACH_SECONDS: Final = 30.0
"""From the first deed to the agent's end: the detector's own time, the kubelet's probe, and a slow machine."""
EVICTED_SECONDS: Final = 150.0
"""The kubelet measures volumes once a minute, and looks at what it measured every ten seconds."""
SPINNING: Final = 10
"""Percent of its limit: an agent requests a tenth of that, and gets no more where the node is busy."""
AT_ONCE_SECONDS: Final = 20.0
FORKS, SPIN, MEMORY = "fork bomb", "cpu spin", "memory balloon"
DISK, INODES, LOGS, FILES, PORTS = "disk fill", "inode storm", "log flood", "open files", "ports"
_SMALL: Final[Object] = {"workspace": {"size": "8Mi"}}
_LOGS: Final[Object] = {"resources": {"ephemeralStorage": "16Mi"}}


def _breach(reason: contract.Breach, seconds: float = BREACH_SECONDS) -> Due:
    return Due(End.BREACH, seconds, reason.value)


def _scene(line: str, variant: str, deed: Deed, due: Due, **more: Any) -> Scene:
    return Scene(12, line, variant, deed, due, **more)


def scenes() -> list[Scene]:
    """Give all; those that take longest begin first."""
    evicted = Due(End.EVICTED, EVICTED_SECONDS)
    bound = Due(End.BOUND, 40.0)
    workspace = contract.WORKSPACE
    return [
        _scene(
            MEMORY, "by and by",
            {"kind": "balloon", "most": 170, "step": 1, "pause": 1.0, "seconds": 30},
            _breach(Breach.RUNAWAY_MEMORY, 170.0),
            tripping={"memory": {"growthPerMinute": "16Mi", "for": "1s"}}, agent={"resources": {"memory": "256Mi"}},
            control={"pause": 0.1},
        ),
        _scene(
            DISK, "workspace", {"kind": "fill", "path": workspace, "most": 32, "seconds": 170}, evicted, agent=_SMALL
        ),
        _scene(DISK, "/tmp", {"kind": "fill", "path": "/tmp", "most": 288, "seconds": 170}, evicted),
        _scene(
            INODES, "empty files in the workspace",
            {"kind": "inodes", "path": workspace, "most": 60_000, "seconds": 170}, evicted,
            agent={"workspace": {"size": "4Mi"}},
        ),
        _scene(
            LOGS, "what no compression makes less", {"kind": "logs", "most": 48, "seconds": 170}, evicted, agent=_LOGS
        ),
        _scene(
            FORKS, "as many as there may be", {"kind": "forks", "most": 120, "seconds": 60},
            _breach(Breach.RUNAWAY_PROCESSES), tripping={"processes": {"above": 64, "for": "2s"}}, sampled=True,
        ),
        _scene(
            FORKS, "children that end at once", {"kind": "storm", "most": 150, "seconds": 90},
            _breach(Breach.RUNAWAY_FORKS, 60.0), tripping={"forks": {"above": 60, "per": "1m"}},
        ),
        _scene(
            FORKS, "unseen: the detectors are off", {"kind": "forks", "most": 600, "seconds": 3}, bound,
            control={"most": 120}, by=By.FREE, agent={"resources": {"memory": "512Mi"}},
        ),
        _scene(
            SPIN, "without a pause", {"kind": "spin", "most": 4, "seconds": 60}, _breach(Breach.RUNAWAY_CPU),
            tripping={"cpu": {"abovePercent": SPINNING, "for": "3s"}},
        ),
        _scene(
            SPIN, "unseen: children that end soon", {"kind": "spin", "most": 4, "seconds": 8, "short": 0.1}, bound
        ),
        _scene(
            MEMORY, "at once", {"kind": "balloon", "most": 300, "step": 10, "pause": 0.01, "seconds": 20},
            Due(End.KILLED, AT_ONCE_SECONDS), agent={"resources": {"memory": "128Mi"}},
        ),
        _scene(
            FILES, "the same again and again", {"kind": "files", "most": 2000, "seconds": 60},
            _breach(Breach.RUNAWAY_FILES), tripping={"files": {"above": 1000, "for": "2s"}},
        ),
        _scene(PORTS, "all that there are", {"kind": "ports", "seconds": 4}, bound, by=By.ITSELF),
        _scene(
            MEMORY, "in /dev/shm, past its size", {"kind": "fill", "path": "/dev/shm", "most": 96, "seconds": 2},
            Due(End.BOUND, 30.0), control={"most": 32},
        ),
        _scene(
            DISK, "the image's own files", {"kind": "fill", "path": "/opt", "most": 1, "seconds": 1},
            Due(End.BOUND, 20.0), control={"path": "/workspace"},
        ),
    ]  # fmt: skip
