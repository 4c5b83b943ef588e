"""Read and write Kubernetes quantities (k8s.io/apimachinery, api/resource): `500m`, `1.5Gi`, `2e3`, `.5`, `1E`.

Negative quantities are no amounts of anything here and are refused. Rounding goes up, as the API server rounds, to
thousandths for CPU and to whole bytes for memory and storage.
"""

import functools
import re
from fractions import Fraction
from typing import Final

PATTERN: Final = r"^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
"""What the schema says; the groups below say the same with names."""

_FORM: Final = re.compile(
    r"[+]?(?P<number>[0-9]+(?:[.][0-9]*)?|[.][0-9]+)"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,2}))?",
    re.ASCII,
)
_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


class QuantityError(ValueError):
    """A text that is no quantity."""


# Typed: True equals 1 to a dict, and is no quantity. The same few amounts are read again and again.
@functools.lru_cache(maxsize=1024, typed=True)
def parse(value: str | int) -> Fraction:
    """Give the exact amount; raise QuantityError for what the API server would not read either."""
    matched = _FORM.fullmatch(str(value))
    if matched is None or isinstance(value, bool):
        raise QuantityError(f"{str(value)[:64]!r} is no quantity such as 500m, 2, 512Mi or 1.5Gi")
    number, suffix, exponent = matched["number"], matched["suffix"], matched["exponent"]
    amount = Fraction(number.removesuffix("."))
    if exponent:
        return amount * _power(10, int(exponent))
    if suffix in _BINARY:
        return amount * _power(1024, _BINARY.index(suffix) + 1)
    return amount * _power(10, _DECIMAL.get(suffix or "", 0))


def _power(base: int, exponent: int) -> Fraction:
    return Fraction(base**exponent) if exponent >= 0 else Fraction(1, base**-exponent)


def millis(value: str | int) -> int:
    """Give a CPU quantity in thousandths of a core, rounded up."""
    return -(-(parse(value) * 1000) // 1)


def whole(value: str | int) -> int:
    """Give an amount of bytes (or of things), rounded up."""
    return -(-parse(value) // 1)


def write_millis(value: int) -> str:
    """Write thousandths of a core as the API server would: `500m`, `2`."""
    return f"{value}m" if value % 1000 else str(value // 1000)


def write_bytes(value: int) -> str:
    """Write bytes with the largest binary suffix that is exact: `1Gi`, `1536Mi`, `1000`."""
    for power in range(len(_BINARY), 0, -1):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{_BINARY[power - 1]}"
    return str(value)
