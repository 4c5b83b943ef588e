"""What a line of the battery is: one attempt, its positive control, and who must have stopped it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

Probe = Mapping[str, Any]


class Where(StrEnum):
    """From where a positive control is made."""

    AGENT = "agent"
    """The same agent pod: the same prober against what the policy allows."""
    FREE = "free"
    """An unguarded pod in another namespace, as restricted as the agent's."""
    HOLDER = "holder"
    """Another agent, whose policy has a route to a Service."""
    ROOT = "root"
    """An unguarded pod that may use raw sockets and change its own network."""
    ALLOWED = "allowed"
    """By the API: the same request where nothing of ours stands in the way."""


class Witness(StrEnum):
    """Who must have stopped an attempt."""

    RULE = "rule"
    """Zaum: an answer that carries the rule, and one record of it."""
    SILENT_RULE = "silent rule"
    """Zaum, without an answer because the tunnel stands already: a reset, and one record."""
    DROP = "drop"
    """The network: no packet arrived anywhere."""
    KERNEL = "kernel"
    """The kernel: the call fails."""
    FAR_END = "far end"
    """Nobody has to: it is harmless where it arrives, and the line checks that it stays so."""
    API = "API server"
    """A rule of ours at the API server, and what it holds afterwards is as before."""


class Needs(StrEnum):
    """What of the product a line is about; lines whose part is not there yet are pending."""

    NOTHING = ""
    ROUTES = "routes"
    SIGNED_HOP = "signed hop"


@dataclass(frozen=True, slots=True)
class Control:
    """What must succeed for the line to mean anything."""

    where: Where
    probe: Probe


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `rules`: any of these may have decided; empty where no rule of Zaum does."""

    group: int
    line: str
    variant: str
    probe: Probe
    control: Control
    witness: Witness
    rules: frozenset[str] = frozenset()
    records: int = 1
    """Decision records that refuse, which the attempt must leave in the watchdog's log; RULE and SILENT_RULE only."""
    needs: Needs = Needs.NOTHING
    id: str = field(default="")

    @property
    def family(self) -> str:
        """Tell the address family, where the attempt has one."""
        address = str(self.probe.get("address", ""))
        return "" if not address else "v6" if ":" in address else "v4"


GROUPS: Final[Mapping[int, str]] = {
    1: "direct dials",
    2: "the gateway itself",
    3: "other sockets",
    4: "names",
    5: "addresses as hosts",
    6: "DNS",
    7: "TLS",
    8: "HTTP",
    9: "redirects and credentials",
    10: "open tunnels",
    11: "more than there is",
    12: "all that a machine has",
    13: "for ever",
    14: "the watchdog itself",
    15: "by hand",
    16: "tokens and secrets",
    17: "whoever dies",
    18: "bad input",
}


def numbered(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Give each attempt an id that is a DNS label, so that it can stand in names and paths."""
    found: list[Attempt] = []
    counts: dict[int, int] = {}
    for attempt in attempts:
        counts[attempt.group] = counts.get(attempt.group, 0) + 1
        name = f"g{attempt.group}n{counts[attempt.group]}"
        found.append(replace(attempt, id=name, probe=marked(attempt.probe, name)))
    return found


def marked(probe: Any, name: str) -> Any:
    """Put the attempt's id where the probe wants it (`{id}`): what the world sees can be told apart."""
    match probe:
        case str():
            return probe.replace("{id}", name)
        case Mapping():
            return {key: marked(value, name) for key, value in probe.items()}
        case list() | tuple():
            return [marked(value, name) for value in probe]
        case _:
            return probe
