"""What the rules of a NetworkPolicy open beyond those of another one. Rules add up, so each is looked at alone.

Nothing is guessed to a policy's favour: a rule is covered only when each of its peers, on each of its ports, is one
that the other opens too, label by label. What cannot be read opens everything.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from zaum_operator.core import words
from zaum_operator.core.kinds import Object

_PORT: Final = frozenset({"protocol", "port", "endPort"})
_PEER: Final = frozenset({"podSelector", "namespaceSelector"})
_SAID: Final = 3


class Side(StrEnum):
    """A direction, as the API spells its rules."""

    EGRESS = "egress"
    INGRESS = "ingress"


_TYPES: Final = {"Egress": Side.EGRESS, "Ingress": Side.INGRESS}
_PEERS: Final = {Side.EGRESS: "to", Side.INGRESS: "from"}


def added(policy: Object, own: Object | None) -> tuple[str, ...]:
    """Say what a NetworkPolicy opens for the pods that it selects and `own` does not: rule by rule, none where nothing.

    `own` None opens nothing.
    """
    return tuple(
        f"spec.{side}[{index}]: {words.quoted(_text(side, rule))}"
        for side in Side
        for index, rule in enumerate(_rules(policy, side))
        if not _is_covered(side, rule, _rules(own, side) if own else [])
    )


def _rules(policy: Object, side: Side) -> list[Any]:
    """Give the rules of one direction that are in force: those of a direction that policyTypes leaves out are not."""
    spec = policy.get("spec") or {}
    rules = (spec.get(side) or []) if side in _sides(spec) else []
    return rules if isinstance(rules, list) else [rules]


def _sides(spec: Mapping[str, Any]) -> set[Side]:
    """Give the directions that a policy speaks of. Without policyTypes: ingress, and egress if it has such rules."""
    types = spec.get("policyTypes")
    if not types:
        return {Side.INGRESS, Side.EGRESS} if spec.get("egress") else {Side.INGRESS}
    known = isinstance(types, list) and all(isinstance(item, str) and item in _TYPES for item in types)
    return {_TYPES[item] for item in types} if known else set(Side)


def _is_covered(side: Side, rule: Any, ours: list[Any]) -> bool:  # noqa: ANN401 - JSON
    """Say whether everything that a rule opens is open by ours. No peers means everybody, no ports every port."""
    key = _PEERS[side]
    if not isinstance(rule, dict) or set(rule) - {key, "ports"}:
        return False
    peers, ports = rule.get(key), rule.get("ports")
    if not peers or not ports or not isinstance(peers, list) or not isinstance(ports, list):
        return False
    return all(
        numbers and all(_is_open(peer, protocol, number, ours, key) for number in numbers)
        for peer in peers
        for protocol, numbers in map(_numbers, ports)
    )


def _numbers(port: Any) -> tuple[str, range]:  # noqa: ANN401 - JSON
    """Give protocol and numbers of a port; no numbers where it has none: a name, every port, what cannot be read."""
    if not isinstance(port, dict) or set(port) - _PORT:
        return "", range(0)
    first = port.get("port")
    last = port.get("endPort", first)
    if isinstance(first, bool) or not isinstance(first, int) or isinstance(last, bool) or not isinstance(last, int):
        return "", range(0)
    return str(port.get("protocol") or "TCP"), range(first, last + 1)


def _is_open(peer: Any, protocol: str, number: int, ours: list[Any], key: str) -> bool:  # noqa: ANN401 - JSON
    return any(
        (protocol, number) in {(item.get("protocol", "TCP"), item["port"]) for item in rule["ports"]}
        and any(_is_within(peer, mine) for mine in rule[key])
        for rule in ours
    )


def _is_within(peer: Any, ours: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    """Say whether a peer's pods are among those of one of ours: the same namespaces or fewer, and pods likewise."""
    if not isinstance(peer, dict) or not peer or set(peer) - _PEER:
        return False
    namespaces, our_namespaces = peer.get("namespaceSelector"), ours.get("namespaceSelector")
    if namespaces is None or our_namespaces is None:
        if namespaces is not our_namespaces:
            return False
    elif not _narrows(namespaces, our_namespaces):
        return False
    return _narrows(peer.get("podSelector") or {}, ours.get("podSelector") or {})


def _narrows(selector: Any, ours: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    """Say whether a selector asks for all that ours asks for; what else it asks for makes it select less."""
    labels = (selector.get("matchLabels") or {}) if isinstance(selector, dict) else None
    return isinstance(labels, dict) and (ours.get("matchLabels") or {}).items() <= labels.items()


def _text(side: Side, rule: Any) -> str:  # noqa: ANN401 - JSON
    """Say what a rule opens: `to pods app=web of this namespace on TCP 443`."""
    if not isinstance(rule, dict):
        return "cannot be read"
    return f"{_PEERS[side]} {_peers(rule.get(_PEERS[side]))} on {_ports(rule.get('ports'))}"


def _peers(peers: Any) -> str:  # noqa: ANN401 - JSON
    if not peers:
        return "anyone"
    if not isinstance(peers, list):
        return "what cannot be read"
    return _listed(_peer(peer) for peer in peers)


def _peer(peer: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(peer, dict) or not peer or set(peer) - _PEER - {"ipBlock"}:
        return "what cannot be read"
    if "ipBlock" in peer:
        return str(peer["ipBlock"].get("cidr") if isinstance(peer["ipBlock"], dict) else peer["ipBlock"])
    pods = f"pods {labels}" if (labels := _selector(peer.get("podSelector"))) else "all pods"
    if peer.get("namespaceSelector") is None:
        return f"{pods} of this namespace"
    return f"{pods} of namespaces {labels}" if (labels := _selector(peer["namespaceSelector"])) else f"{pods} anywhere"


def _selector(selector: Any) -> str:  # noqa: ANN401 - JSON
    if not selector:
        return ""
    if not isinstance(selector, dict) or not isinstance(selector.get("matchLabels") or {}, dict):
        return "that cannot be read"
    said = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    said += [_expression(item) for item in selector.get("matchExpressions") or ()]
    return _listed(said)


def _expression(item: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(item, dict):
        return "what cannot be read"
    values = ",".join(map(str, item.get("values") or ()))
    return " ".join(filter(None, (str(item.get("key")), str(item.get("operator")), values)))


def _ports(ports: Any) -> str:  # noqa: ANN401 - JSON
    if not ports:
        return "any port"
    if not isinstance(ports, list) or not all(isinstance(port, dict) for port in ports):
        return "ports that cannot be read"
    return _listed(_port(port) for port in ports)


def _port(port: Mapping[str, Any]) -> str:
    number, last = port.get("port"), port.get("endPort")
    span = "any port" if number is None else str(number) + (f"-{last}" if last is not None else "")
    return f"{port.get('protocol') or 'TCP'} {span}"


def _listed(items: "Iterator[str] | list[str]") -> str:
    said = list(items)
    more = f" and {len(said) - _SAID} more" if len(said) > _SAID else ""
    return ", ".join(said[:_SAID]) + more
