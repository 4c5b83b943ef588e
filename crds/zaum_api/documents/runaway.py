"""The detectors of a runaway agent."""

from dataclasses import dataclass
from typing import Any

from zaum_api.reading import Fields


@dataclass(frozen=True, slots=True)
class CpuDetector:
    """Trip when the agent's processes use more than `above_percent` of `limit_millis` for `for_seconds`."""

    above_percent: int
    for_seconds: int
    limit_millis: int

    @staticmethod
    def read(value: object, place: str) -> "CpuDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = CpuDetector(
            above_percent=fields.whole("abovePercent", least=1, most=100),
            for_seconds=fields.whole("forSeconds", least=1, most=86400),
            limit_millis=fields.whole("limitMillis", least=1, most=1_000_000),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "abovePercent": self.above_percent,
            "forSeconds": self.for_seconds,
            "limitMillis": self.limit_millis,
        }


@dataclass(frozen=True, slots=True)
class ProcessDetector:
    """Trip when the agent has more than `above` processes for `for_seconds`."""

    above: int
    for_seconds: int

    @staticmethod
    def read(value: object, place: str) -> "ProcessDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = ProcessDetector(
            above=fields.whole("above", least=1, most=100_000),
            for_seconds=fields.whole("forSeconds", least=1, most=86400),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"above": self.above, "forSeconds": self.for_seconds}


@dataclass(frozen=True, slots=True)
class DeniedDetector:
    """Trip when more than `above` requests are denied within any `per_seconds`."""

    above: int
    per_seconds: int

    @staticmethod
    def read(value: object, place: str) -> "DeniedDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = DeniedDetector(
            above=fields.whole("above", least=1, most=100_000),
            per_seconds=fields.whole("perSeconds", least=1, most=86400),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"above": self.above, "perSeconds": self.per_seconds}


@dataclass(frozen=True, slots=True)
class Runaway:
    """The detectors; None is a detector that the policy switched off by name."""

    cpu: CpuDetector | None
    processes: ProcessDetector | None
    denied: DeniedDetector | None

    @staticmethod
    def read(value: object, place: str) -> "Runaway":
        """Read the detectors."""
        fields = Fields(value, place)
        runaway = Runaway(
            cpu=fields.maybe("cpu", CpuDetector.read),
            processes=fields.maybe("processes", ProcessDetector.read),
            denied=fields.maybe("denied", DeniedDetector.read),
        )
        fields.end()
        return runaway

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "cpu": self.cpu and self.cpu.write(),
            "processes": self.processes and self.processes.write(),
            "denied": self.denied and self.denied.write(),
        }
