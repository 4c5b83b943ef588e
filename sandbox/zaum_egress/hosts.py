"""Parse host names into one canonical form and decide whether a policy names them.

Watchdog, authorizer and the API's validation all call this, so a spelling that one refuses is refused by all. The
canonical form is lower case ASCII without a trailing dot, at least two labels, the last one no number. Everything
that another parser might read as an address, or that a resolver inside the cluster might answer, is refused:
fail closed, and by shape, never by a list of known tricks.

Unicode names are refused with the fix in the message instead of being mapped: IDNA 2003 (which the standard library
speaks) and IDNA 2008 (which clients speak) disagree on names such as `straße.example`, and two parts that
disagree are a way around. A policy writes the A-label (`xn--…`), which is also what clients send.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents

CLUSTER_DOMAIN: Final = "cluster.local"
NAME_MAX: Final = 253
AUTHORITY_MAX: Final = NAME_MAX + len(".:65535")
WILDCARD: Final = "*."

# One label: letters, digits, hyphens inside, underscores anywhere (RFC 2181 §11 lets DNS carry them, and names in
# real use do); the last label is stricter, because no registry delegates a top-level name with an underscore.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_LAST: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)+{_LAST}")
_SINGLE: Final = re.compile(_LAST)
# WHATWG URL, "ends in a number": such a name is an IPv4 address to some parsers (1.2.3, 0x7f.1, 017700000001).
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_CHARACTERS: Final = re.compile(r"[a-z0-9._-]+")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Host:
    """A DNS name in canonical form. Only `parse_host` makes one."""

    name: str


@dataclass(frozen=True, slots=True)
class Authority:
    """The target of a CONNECT: a canonical host and a port from 1 to 65535."""

    host: Host
    port: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a policy names: one host, or with `wildcard` every name exactly one label below `host`."""

    host: Host
    wildcard: bool

    @property
    def text(self) -> str:
        """Give the canonical spelling."""
        return f"{WILDCARD}{self.host.name}" if self.wildcard else self.host.name


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a text names no host that can be reached: the rule, and a problem for people that never echoes the text."""

    rule: contract.Rule
    problem: str


def parse_host(text: str, *, cluster_domain: str = CLUSTER_DOMAIN) -> Host | Malformed:
    """Read one host name (RFC 1123, RFC 5890 A-labels); give its canonical form or why it is refused."""
    if _is_literal(text):
        return _address()
    if not text.isascii():
        return _malformed("has a character outside ASCII; write an international name as its A-label (xn--…)")
    name = text.lower().removesuffix(".")
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last) and _CHARACTERS.fullmatch(name):
        return _address()
    if len(name) > NAME_MAX:
        return _malformed(f"is longer than {NAME_MAX} characters")
    if _SINGLE.fullmatch(name):
        return _malformed("is a single label; only names with a domain can be reached")
    if not _NAME.fullmatch(name):
        return _malformed("is no DNS name (RFC 1123: labels of 1 to 63 letters, digits and hyphens, joined by dots)")
    return _in_cluster(name, last, cluster_domain) or _false_a_label(name) or Host(name)


def parse_authority(text: str, *, cluster_domain: str = CLUSTER_DOMAIN) -> Authority | Malformed:
    """Read the request target of a CONNECT (RFC 9110 §9.3.6): `host:port`, both required, nothing around them."""
    if len(text) > AUTHORITY_MAX:
        return _malformed(f"is longer than {AUTHORITY_MAX} characters")
    return _authority(text, cluster_domain)


# An agent asks for the same few hosts again and again. Bounded: 256 keys of at most AUTHORITY_MAX characters.
@functools.lru_cache(maxsize=256)
def _authority(text: str, cluster_domain: str) -> Authority | Malformed:
    name, colon, digits = text.rpartition(":")
    if not colon or (name.startswith("[") != name.endswith("]")):
        return _malformed("has no port; a CONNECT names host:port")
    host = parse_host(name, cluster_domain=cluster_domain)
    if isinstance(host, Malformed):
        return host
    if not _PORT.fullmatch(digits) or int(digits) > 65535:
        return _malformed("has a port that is no number from 1 to 65535")
    return reserved_port(int(digits)) or Authority(host, int(digits))


def reserved_port(port: int) -> Malformed | None:
    """Refuse the ports at which the gateway itself reaches parts of the cluster: a name may lead to those, too."""
    if port not in contract.GATEWAY_ONLY_PORTS:
        return None
    return Malformed(contract.Rule.PORT_NOT_NAMED, f"has port {port}, which is the gateway's own: no policy names it")


def parse_pattern(text: str, *, cluster_domain: str = CLUSTER_DOMAIN) -> Pattern | Malformed:
    """Read a policy's host: a name, or `*.` and a name of at least two labels. No other place for a star.

    The star stands for exactly one label, as in certificates (RFC 9525 §6.3): `*.example.com` names
    `api.example.com`, neither `example.com` nor `a.b.example.com`.
    """
    wildcard = text.startswith(WILDCARD)
    bare = text[len(WILDCARD) :] if wildcard else text
    if "*" in bare:
        return _malformed("has a '*' elsewhere than as one leading '*.'")
    host = parse_host(bare, cluster_domain=cluster_domain)
    return host if isinstance(host, Malformed) else Pattern(host, wildcard)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a policy names host and port: `rule` is ALLOWED, HOST_NOT_NAMED or PORT_NOT_NAMED, with the why."""

    rule: contract.Rule
    host: str
    port: int
    matched: str | None = None
    """The pattern that named the host, also when only the port was wrong."""

    @property
    def allowed(self) -> bool:
        """Say whether the rule lets the request pass."""
        return self.rule is contract.Rule.ALLOWED

    @property
    def message(self) -> str:
        """Explain the decision in one sentence."""
        match self.rule:
            case contract.Rule.ALLOWED:
                return f"{self.host}:{self.port} is named by {self.matched}"
            case contract.Rule.PORT_NOT_NAMED:
                return f"the policy names {self.matched}, but not port {self.port}"
            case _:
                return f"the policy does not name the host {self.host}"

    @property
    def allowed_by(self) -> str:
        """Say which entry of the policy would have allowed the request; empty when it was allowed."""
        if self.allowed:
            return ""
        return f"spec.egress.hosts: [{{host: {self.host}, ports: [{self.port}]}}]"


_NO_PORTS: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class HostTable:
    """A policy's host rules, ready to decide in constant time. Rules that are not canonical match nothing."""

    exact: Mapping[str, frozenset[int]]
    below: Mapping[str, frozenset[int]]
    refused: tuple[tuple[int, Malformed], ...] = ()
    """Index and problem of each rule that is not in canonical form; who loads a document refuses it for these."""

    @staticmethod
    def of(rules: Iterable[documents.HostRule], *, cluster_domain: str = CLUSTER_DOMAIN) -> "HostTable":
        """Build the table; several rules for one host add up their ports."""
        exact: dict[str, frozenset[int]] = {}
        below: dict[str, frozenset[int]] = {}
        refused: list[tuple[int, Malformed]] = []
        for index, rule in enumerate(rules):
            pattern = parse_pattern(rule.host, cluster_domain=cluster_domain)
            if isinstance(pattern, Pattern) and pattern.text != rule.host:
                pattern = _malformed(f"is not in canonical form, which is {pattern.text}")
            if isinstance(pattern, Malformed):
                refused.append((index, pattern))
                continue
            side = below if pattern.wildcard else exact
            name = pattern.host.name
            side[name] = side.get(name, frozenset()) | frozenset(rule.ports)
        return HostTable(exact, below, tuple(refused))

    def decide(self, host: Host, port: int) -> Decision:
        """Decide one host and port; no rule, no way."""
        name = host.name
        if port in self.exact.get(name, _NO_PORTS):
            return Decision(contract.Rule.ALLOWED, name, port, name)
        parent = name.partition(".")[2]
        named: str | None = None
        for pattern, ports in ((name, self.exact.get(name)), (WILDCARD + parent, self.below.get(parent))):
            if ports is None:
                continue
            if port in ports:
                return Decision(contract.Rule.ALLOWED, name, port, pattern)
            named = named or pattern
        rule = contract.Rule.PORT_NOT_NAMED if named else contract.Rule.HOST_NOT_NAMED
        return Decision(rule, name, port, named)


def decide(rules: Iterable[documents.HostRule], host: Host, port: int) -> Decision:
    """Decide one host and port against rules; who asks often keeps a `HostTable` instead."""
    return HostTable.of(rules).decide(host, port)


def _malformed(problem: str) -> Malformed:
    return Malformed(contract.Rule.HOST_MALFORMED, problem)


def _address() -> Malformed:
    return Malformed(contract.Rule.HOST_IS_ADDRESS, "is an IP address; egress is decided by name")


def _is_literal(text: str) -> bool:
    """Recognise every bracketed or colon-separated spelling (IPv6, mapped, zone ids), well-formed or not."""
    return text.startswith("[") or text.count(":") > 1


def _in_cluster(name: str, last: str, cluster_domain: str) -> Malformed | None:
    if last in {"svc", "localhost"} or name == cluster_domain or name.endswith(f".{cluster_domain}"):
        return _malformed("is a name inside the cluster or this machine; egress.hosts is for the outside")
    return None


def _false_a_label(name: str) -> Malformed | None:
    """Refuse `xn--` labels that no Unicode label encodes to (RFC 5890 §2.3.2.1): stacks read them differently."""
    if "xn--" not in name:
        return None
    for label in name.split("."):
        if label.startswith("xn--") and not _encodes(label[4:]):
            return _malformed("has a label that starts with xn-- and is no A-label (RFC 5890)")
    return None


def _encodes(punycode: str) -> bool:
    try:
        decoded = punycode.encode("ascii").decode("punycode")
        return not decoded.isascii() and decoded.encode("punycode").decode("ascii") == punycode
    except UnicodeError:
        return False
