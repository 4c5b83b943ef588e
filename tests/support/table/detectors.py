"""The detectors of a runaway agent, but for the cases of cpu, processes and denied, which stand with the amounts."""

from typing import Final

from tests.support.table.case import Case, Refusal, lifetime, runaway

_S, _R = Refusal.SCHEMA, Refusal.RULE
NAMES: Final = ("memory", "forks", "files", "repeated", "errors", "noProgress", "egressBytes", "starved")
_COUNTS: Final = {
    ("forks", "above"): 10_000_000,
    ("files", "above"): 10_000_000,
    ("repeated", "same"): 100_000,
    ("errors", "abovePercent"): 99,
    ("errors", "ofAtLeast"): 100_000,
    ("noProgress", "tokens"): 1_000_000_000_000,
}
"""Each number and the most that it may be."""
_BYTES: Final = (("memory", "growthPerMinute"), ("egressBytes", "above"))
_TIMES: Final = (
    ("memory", "for"), ("forks", "per"), ("files", "for"), ("repeated", "per"), ("errors", "per"),
    ("noProgress", "for"), ("egressBytes", "per"), ("starved", "for"), ("starved", "lateBy"),
)  # fmt: skip


def _one(name: str, field: str, value: object) -> dict[str, object]:
    return runaway(**{name: {field: value}})


GOOD: Final = (
    Case("all other detectors by name", runaway(**{name: {"enabled": True} for name in NAMES})),
    Case("all other detectors off", runaway(**{name: {"enabled": False} for name in NAMES})),
    Case("all other detectors of nothing", runaway(**{name: {} for name in NAMES})),
    Case("all other detectors of null", runaway(**dict.fromkeys(NAMES))),
    *(Case(f"{name}.{field} of one", _one(name, field, 1)) for name, field in _COUNTS),
    *(Case(f"{name}.{field} at its most", _one(name, field, most)) for (name, field), most in _COUNTS.items()),
    *(Case(f"{name}.{field} as {value}", _one(name, field, value)) for name, field in _BYTES for value in (1, "1.5Gi")),
    *(Case(f"{name}.{field} of a second", _one(name, field, "1s")) for name, field in _TIMES),
    Case("idle for a minute", lifetime(idle="60s")),
    Case("idle for a month, and a longest life", lifetime(max="8h", idle="720h")),
    Case("idle of null", lifetime(idle=None)),
)

BAD: Final = (
    *(Case(f"{name} that is false", runaway(**{name: False}), _S) for name in NAMES),
    *(Case(f"{name} off as text", _one(name, "enabled", "false"), _S) for name in NAMES),
    *(Case(f"{name} with a field that it has not", _one(name, "abovePerCent", 1), _S) for name in NAMES),
    *(
        Case(f"{name}.{field} of {value!r}", _one(name, field, value), _S)
        for (name, field), most in _COUNTS.items()
        for value in (0, -1, most + 1, "5", 1.5, True)
    ),
    *(
        Case(f"{name}.{field} of {value!r}", _one(name, field, value), _S)
        for name, field in _BYTES
        for value in ("-1", "1 Gi", "", True)
    ),
    *(
        Case(f"{name}.{field} of {value!r}", _one(name, field, value), _R, f"runaway.{name}.{field} must be a quantity")
        for name, field in _BYTES
        for value in (0, "0", "2Pi")
    ),
    *(
        Case(f"{name}.{field} of no time", _one(name, field, "0s"), _R, f"runaway.{name}.{field} must be a duration")
        for name, field in _TIMES
    ),
    *(Case(f"{name}.{field} in words", _one(name, field, "a while"), _S) for name, field in _TIMES),
    Case("a watchdog that is later than an hour", _one("starved", "lateBy", "61m"), _R, "lateBy must be a duration"),
    Case("idle in words", lifetime(idle="long"), _S),
    Case("idle for more than a month", lifetime(idle="721h"), _R, "lifetime.idle must be a duration from 1m"),
)
