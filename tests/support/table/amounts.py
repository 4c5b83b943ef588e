"""How much and how long: limits, lifetime, detectors; and the fields that a later version acts on."""

from typing import Final

from tests.support.table.case import Case, Refusal, lifetime, limits, runaway, spec

_S, _R = Refusal.SCHEMA, Refusal.RULE
_LATER: Final = {
    "spec.limits.bytes": limits(bytes={"outPerHour": "50Mi", "inPerHour": "1Gi"}),
    "spec.limits.tokens": limits(tokens={"perMinute": 100000, "perDay": 2000000}),
    "spec.limits.cost": limits(cost={"perDay": "10.00"}),
    "spec.runaway.repeated": runaway(repeated={"enabled": True, "same": 30, "per": "1m"}),
    "spec.runaway.noProgress": runaway(noProgress={"enabled": True, "tokens": 200000, "for": "10m"}),
    "spec.containment": spec(
        containment={"onRunaway": "Kill", "killsBeforeQuarantine": 3, "onBudget": "Throttle"},
    ),
    "spec.lifetime.idle": lifetime(max="8h", idle="30m"),
}
"""Each field that is typed and refused, with all that it can hold."""

GOOD: Final = (
    Case("all denied", limits(requests={"perMinute": 0, "burst": 0}, connections=0)),
    Case("limits", limits(requests={"perMinute": 600}, connections=4096)),
    Case("the most requests", limits(requests={"perMinute": 100000, "burst": 100000})),
    Case("a burst above the rate", limits(requests={"perMinute": 1, "burst": 100})),
    Case("a limit of null", limits(connections=None)),
    Case("limits of null", spec(limits=None)),
    Case("requests of nothing", limits(requests={})),
    Case("detectors tuned", runaway(cpu={"abovePercent": 50, "for": "1h30m"}, denied={"above": 1, "per": "90s"})),
    Case("detectors off by name", runaway(cpu={"enabled": False}, processes={"enabled": False})),
    Case("a detector on by name", runaway(denied={"enabled": True})),
    Case("a day", runaway(processes={"above": 1, "for": "24h"})),
    Case("a day in seconds", runaway(processes={"above": 100000, "for": "86400s"})),
    Case("a second with zeros before", runaway(cpu={"for": "00000h00000m00001s"})),
    Case("a detector of null", runaway(cpu=None)),
    Case("no lifetime", lifetime()),
    Case("lifetime of null", spec(lifetime=None)),
    Case("a longest life of null", lifetime(max=None)),
    Case("a minute to live", lifetime(max="60s")),
    Case("a month to live", lifetime(max="720h")),
    *(
        Case(f"{field} of null", _null)
        for field, _null in (
            ("bytes", limits(bytes=None)),
            ("containment", spec(containment=None)),
        )
    ),
)

BAD: Final = (
    *(Case(f"{field}, of a later version", given, _R, f"{field} is not supported") for field, given in _LATER.items()),
    Case("an empty object is refused too", spec(containment={}), _R, "spec.containment is not supported"),
    Case("a misspelt field of a later version", spec(containment={"onRunAway": "Kill"}), _S),
    Case("a wrong value of a later version", limits(cost={"perDay": 10}), _S),
    Case("money in exponents", limits(cost={"perDay": "1e9"}), _S),
    Case("fewer tokens than none", limits(tokens={"perDay": -1}), _S),
    Case("a misspelt field of a limit", limits(request={"perMinute": 1}), _S),
    Case("a misspelt limit", limits(requests={"perminute": 1}), _S),
    Case("a limit as text", limits(connections="32"), _S),
    Case("a limit as text of nothing", limits(connections=""), _S),
    Case("a negative limit", limits(requests={"perMinute": -1}), _S),
    Case("a limit beyond the bound", limits(connections=4097), _S),
    Case("a rate beyond the bound", limits(requests={"perMinute": 100001}), _S),
    Case("a broken limit", limits(requests={"perMinute": 0.5}), _S),
    Case("a boolean as limit", limits(connections=True), _S),
    Case("limits as list", spec(limits=[]), _S),
    Case("limits as text", spec(limits="none"), _S),
    Case("a detector at zero", runaway(denied={"above": 0}), _S),
    Case("processes above any bound", runaway(processes={"above": 100001}), _S),
    Case("processes off as number", runaway(processes={"enabled": 0}), _S),
    Case("denials off as text", runaway(denied={"enabled": "no"}), _S),
    Case("a burst below zero", limits(requests={"burst": -1}), _S),
    Case("a detector that is false", runaway(denied=False), _S),
    Case("a share above 100", runaway(cpu={"abovePercent": 101}), _S),
    Case("a share as text", runaway(cpu={"abovePercent": "90%"}), _S),
    Case("an unknown detector", runaway(memory={"above": 1}), _S),
    Case("no time", runaway(cpu={"for": "0s"}), _R, "runaway.cpu.for must be a duration"),
    Case("no time for processes", runaway(processes={"for": "0m0s"}), _R, "runaway.processes.for must be a duration"),
    Case("more than a day", runaway(denied={"per": "25h"}), _R, "runaway.denied.per must be a duration"),
    Case("a duration in words", runaway(cpu={"for": "2 minutes"}), _S),
    Case("a duration as number", runaway(cpu={"for": 120}), _S),
    Case("a duration without a unit", runaway(cpu={"for": "120"}), _S),
    Case("a duration in milliseconds", runaway(cpu={"for": "1500ms"}), _S),
    Case("a duration in days", runaway(cpu={"for": "1d"}), _S),
    Case("a broken duration", runaway(cpu={"for": "1.5m"}), _S),
    Case("a negative duration", runaway(cpu={"for": "-2m"}), _S),
    Case("a duration in the wrong order", runaway(cpu={"for": "1m1h"}), _S),
    Case("an empty duration", runaway(cpu={"for": ""}), _S),
    Case("a duration with a line break", runaway(cpu={"for": "2m\n"}), _S),
    Case("off as text", runaway(cpu={"enabled": "false"}), _S),
    Case("no time to live", lifetime(max="0s"), _R, "lifetime.max must be a duration from 1m"),
    Case("less than a minute to live", lifetime(max="59s"), _R, "lifetime.max must be a duration from 1m"),
    Case("more than a month to live", lifetime(max="720h1s"), _R, "lifetime.max must be a duration from 1m"),
    Case("a life in days", lifetime(max="30d"), _S),
    Case("a life in seconds", lifetime(max=3600), _S),
    Case("an empty life", lifetime(max=""), _S),
    Case("a misspelt life", lifetime(maximum="1h"), _S),
    Case("a lifetime as text", spec(lifetime="8h"), _S),
    Case("idle for no time", lifetime(idle="1s"), _R, "lifetime.idle must be a duration from 1m"),
    Case("tokens unspent for no time", runaway(noProgress={"for": "0s"}), _R, "runaway.noProgress.for must be"),
    Case("requests repeated in no time", runaway(repeated={"per": "0s"}), _R, "runaway.repeated.per must be"),
    Case("bytes beyond the bound", limits(bytes={"outPerHour": "2Pi"}), _R, "limits.bytes.outPerHour must be"),
    Case("bytes in beyond the bound", limits(bytes={"inPerHour": "2Pi"}), _R, "limits.bytes.inPerHour must be"),
)
