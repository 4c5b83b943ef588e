"""Work out the smallest egress section that the traffic which was seen needs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zaum_cli.core import entries, observed
from zaum_cli.core.decisions import Verdict

HOSTS_MAX: Final = 256
PORTS_MAX: Final = 16
ENTRIES_MAX: Final = 32
"""What a policy holds (zaum_api.v1alpha1.egress, routes)."""
DENIED_SHOWN: Final = 20
LIMITS: Final = {
    "limits.requests.perMinute": "spec.limits.requests",
    "limits.connections": "spec.limits.connections",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`egress` as it goes into a policy's spec, and what a reader has to know of it, one note a line."""

    egress: dict[str, Any]
    notes: tuple[str, ...]


def of(seen: observed.Observed, spec: Mapping[str, Any]) -> Suggestion:
    """Suggest, from what was seen, and the spec that was in force: a route's upstream stands in no log."""
    notes: list[str] = []
    known = spec.get("egress") or {}
    egress: dict[str, Any] = {}
    hosts = _hosts(seen.tunnels, notes)
    if hosts:
        egress["hosts"] = hosts
    routes = _routes(seen.requests, known.get("routes") or (), notes)
    if routes:
        egress["routes"] = routes
    if known.get("requireProof"):
        egress["requireProof"] = True
    notes += [
        f"over the limit: {count} requests ({rule}); {LIMITS[rule]} is no part of this section"
        for rule, count in sorted(seen.over.items())
    ]
    return Suggestion(egress, (*notes, *_denied(seen.denied)))


def counted(seen: observed.Observed) -> dict[str, int]:
    """Give how often each verdict was seen."""
    return {verdict.value: seen.counts[verdict] for verdict in Verdict}


def _hosts(tunnels: Counter[tuple[str, int]], notes: list[str]) -> list[dict[str, Any]]:
    ports: dict[str, list[int]] = {}
    used: Counter[str] = Counter()
    for (host, port), count in tunnels.items():
        ports.setdefault(host, []).append(port)
        used[host] += count
    kept = sorted(sorted(used), key=lambda host: -used[host])[:HOSTS_MAX]
    if len(kept) < len(used):
        notes.append(f"{len(used)} hosts were seen, a policy holds {HOSTS_MAX}: these are the ones used most")
    for host in sorted(kept):
        if len(ports[host]) > PORTS_MAX:
            notes.append(
                f"{host} was used at {len(ports[host])} ports, an entry holds {PORTS_MAX}: the lowest are here"
            )
    return [{"host": host, "ports": sorted(ports[host])[:PORTS_MAX]} for host in sorted(kept)]


def _routes(
    requests: Mapping[str, Counter[tuple[str, str]]], known: Sequence[Mapping[str, Any]], notes: list[str]
) -> list[dict[str, Any]]:
    found = []
    for route in sorted(known, key=lambda item: str(item["name"])):
        name = str(route["name"])
        if name not in requests:
            notes.append(f"route {name} was not used, and is left out")
            continue
        allow, unsaid = entries.of(requests[name])
        notes += [f"route {name}: no entry can say {method} {path}" for method, path in unsaid]
        if len(allow) > ENTRIES_MAX:
            notes.append(f"route {name} needs {len(allow)} entries, a route holds {ENTRIES_MAX}: join some by hand")
        found.append({key: value for key, value in route.items() if key != "allow"} | {"allow": allow})
    gone = requests.keys() - {str(route["name"]) for route in known}
    notes += [f"route {name} was used, and is no part of the policy any more" for name in sorted(gone)]
    return found


def _denied(denied: Counter[tuple[str, str]]) -> list[str]:
    shown = sorted(denied.items(), key=lambda item: (-item[1], item[0]))
    notes = [f"denied, not in here: {target} ({rule}), {count} times" for (rule, target), count in shown[:DENIED_SHOWN]]
    return [*notes, f"and {len(shown) - DENIED_SHOWN} more that were denied"] if len(shown) > DENIED_SHOWN else notes
