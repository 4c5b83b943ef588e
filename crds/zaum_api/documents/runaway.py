"""Which detectors of a runaway agent are on, and at which thresholds."""

from dataclasses import dataclass, fields
from typing import Any, Final

from zaum_api.documents import detectors
from zaum_api.reading import Fields


@dataclass(frozen=True, slots=True)
class Runaway:
    """The detectors; None is a detector that the policy switched off by name."""

    cpu: detectors.CpuDetector | None
    processes: detectors.ProcessDetector | None
    denied: detectors.DeniedDetector | None
    memory: detectors.MemoryDetector | None = None
    """From here on: not in a config before v5, whose watchdogs do not have them."""
    forks: detectors.ForkDetector | None = None
    files: detectors.FileDetector | None = None
    repeated: detectors.RepeatedDetector | None = None
    errors: detectors.ErrorDetector | None = None
    no_progress: detectors.NoProgressDetector | None = None
    egress_bytes: detectors.EgressDetector | None = None
    idle: detectors.IdleDetector | None = None
    starved: detectors.StarvedDetector | None = None

    @staticmethod
    def read_first(value: object, place: str) -> "Runaway":
        """Read the three detectors of a config before v5."""
        fields_ = Fields(value, place)
        runaway = _first(fields_)
        fields_.end()
        return runaway

    @staticmethod
    def read(value: object, place: str) -> "Runaway":
        """Read all detectors."""
        fields_ = Fields(value, place)
        first = _first(fields_)
        runaway = Runaway(
            first.cpu,
            first.processes,
            first.denied,
            memory=fields_.maybe("memory", detectors.MemoryDetector.read),
            forks=fields_.maybe("forks", detectors.ForkDetector.read),
            files=fields_.maybe("files", detectors.FileDetector.read),
            repeated=fields_.maybe("repeated", detectors.RepeatedDetector.read),
            errors=fields_.maybe("errors", detectors.ErrorDetector.read),
            no_progress=fields_.maybe("noProgress", detectors.NoProgressDetector.read),
            egress_bytes=fields_.maybe("egressBytes", detectors.EgressDetector.read),
            idle=fields_.maybe("idle", detectors.IdleDetector.read),
            starved=fields_.maybe("starved", detectors.StarvedDetector.read),
        )
        fields_.end()
        return runaway

    def write(self, *, later: bool = True) -> dict[str, Any]:
        """Give the JSON shape; without `later` as it was before v5."""
        names = [field.name for field in fields(self)]
        written = {_KEYS.get(name, name): getattr(self, name) for name in (names if later else names[:_FIRST])}
        return {key: detector and detector.write() for key, detector in written.items()}


_FIRST: Final = 3
_KEYS: Final = {"no_progress": "noProgress", "egress_bytes": "egressBytes"}


def _first(found: Fields) -> Runaway:
    return Runaway(
        cpu=found.maybe("cpu", detectors.CpuDetector.read),
        processes=found.maybe("processes", detectors.ProcessDetector.read),
        denied=found.maybe("denied", detectors.DeniedDetector.read),
    )
