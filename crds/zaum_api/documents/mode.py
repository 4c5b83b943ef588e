"""Whether a policy is enforced or only reported."""

from enum import StrEnum

from zaum_api.reading import DocumentError


class Mode(StrEnum):
    """`spec.mode`. Report: limits and host names are only logged; all else stays enforced."""

    ENFORCE = "Enforce"
    REPORT = "Report"

    @staticmethod
    def read(value: object, place: str) -> "Mode":
        """Read it; a mode that is not known is refused, never taken for one of these."""
        if value == Mode.ENFORCE.value:
            return Mode.ENFORCE
        if value == Mode.REPORT.value:
            return Mode.REPORT
        raise DocumentError(place, f"{value!r} is not known to this version")
