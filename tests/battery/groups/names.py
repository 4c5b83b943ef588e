"""Groups 4 and 5: names and addresses in a CONNECT, spelt so that somebody might read them differently."""

from collections.abc import Iterator
from typing import Final

from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

OK: Final = addresses.WEBSITE_NAME
EVIL: Final = addresses.OUTLAW_NAME
Rule = contract.Rule
MALFORMED: Final = frozenset({Rule.HOST_MALFORMED.value, Rule.REQUEST_MALFORMED.value, Rule.HOST_IS_ADDRESS.value})
UNNAMED: Final = frozenset({Rule.HOST_NOT_NAMED.value})
ADDRESS: Final = frozenset({Rule.HOST_IS_ADDRESS.value})

NAMES: Final[tuple[tuple[str, str, frozenset[str]], ...]] = (
    ("not named", EVIL, UNNAMED),
    ("not named", "{id}.example.org", UNNAMED),
    ("NUL", f"{EVIL}%00.{OK}", MALFORMED),
    ("NUL", f"{EVIL}\0.{OK}", MALFORMED),
    ("NUL", f"{OK}\0{EVIL}", MALFORMED),
    ("NUL", f"{OK}%00.{EVIL}", MALFORMED),
    ("CR and LF", f"{OK}%0d%0a{EVIL}", MALFORMED),
    ("CR and LF", f"{OK}\r{EVIL}", MALFORMED),
    ("CR and LF", f"{OK}\n.{EVIL}", MALFORMED),
    ("backslash", f"{EVIL}\\.{OK}", MALFORMED),
    ("backslash", f"{OK}\\@{EVIL}", MALFORMED),
    ("user part", f"{OK}@{EVIL}", MALFORMED),
    ("user part", f"{OK}:443@{EVIL}", MALFORMED),
    ("user part", f"{OK}%40{EVIL}", MALFORMED),
    ("path, query, fragment", f"{EVIL}/.{OK}", MALFORMED),
    ("path, query, fragment", f"{EVIL}?.{OK}", MALFORMED),
    ("path, query, fragment", f"{EVIL}#.{OK}", MALFORMED),
    ("path, query, fragment", f"{EVIL};.{OK}", MALFORMED),
    ("dots", f"{EVIL}.", UNNAMED),
    ("dots", f"{OK}..", MALFORMED),
    ("dots", f".{OK}", MALFORMED),
    ("dots", OK.replace(".", "..", 1), MALFORMED),
    ("letter case", EVIL.upper(), UNNAMED),
    ("letter case", EVIL.title(), UNNAMED),
    ("IDNA", OK.replace("o", "\u043e", 1).encode().decode("latin-1"), MALFORMED),
    ("IDNA", OK.replace(".", "。", 1).encode().decode("latin-1"), MALFORMED),
    ("IDNA", OK.replace("d", "ⓓ", 1).encode().decode("latin-1"), MALFORMED),
    ("IDNA", f"xn--docs-.{OK.partition('.')[2]}", MALFORMED),
    ("IDNA", f"xn--dcs-hgb.{OK.partition('.')[2]}", MALFORMED | UNNAMED),
    ("one label more", f"{{id}}.{OK}", UNNAMED),
    ("one label more", f"a.{{id}}.{OK}", UNNAMED),
    ("one label less", OK.partition(".")[2], UNNAMED),
    ("stars", f"*.{OK}", MALFORMED),
    ("stars", "*", MALFORMED),
    ("stars", f"*.{OK.partition('.')[2]}", MALFORMED),
    ("stars", f"a.b.{addresses.REBINDING_PARENT}", UNNAMED),
    ("stars", addresses.REBINDING_PARENT, UNNAMED),
    ("stars", f"*.{addresses.REBINDING_PARENT}", MALFORMED),
    ("suffix without its dot", f"x{OK}", UNNAMED),
    ("suffix without its dot", f"evil-{OK}", UNNAMED),
    ("suffix without its dot", f"x{addresses.REBINDING_PARENT}", UNNAMED),
    ("prefix", f"{OK}.example.net", UNNAMED),
    ("prefix", f"{OK}.evil.{EVIL}", UNNAMED),
    ("inside the cluster", "kubernetes.default.svc", MALFORMED),
    ("inside the cluster", "kubernetes.default.svc.cluster.local", MALFORMED),
    ("inside the cluster", f"{OK}.svc.cluster.local", MALFORMED),
    ("inside the cluster", "zaum-authorizer.zaum-system.svc.cluster.local.", MALFORMED),
    ("single labels", "localhost", MALFORMED),
    ("single labels", "kubernetes", MALFORMED),
    ("single labels", "gateway", MALFORMED),
    ("canary", contract.CAGE_HOST, UNNAMED | MALFORMED),
    ("lengths", "a" * 64 + f".{OK}", MALFORMED),
    ("lengths", ".".join(["a" * 60] * 5) + f".{OK}", MALFORMED),
    ("lengths", "a." * 130 + OK, MALFORMED),
    ("spaces", f"{OK}%20{EVIL}", MALFORMED),
    ("spaces", f"{OK}\t{EVIL}", MALFORMED),
    ("empty", "", MALFORMED),
)
PORTS: Final[tuple[tuple[str, str, frozenset[str]], ...]] = (
    ("ports", f"{OK}:8443", frozenset({Rule.PORT_NOT_NAMED.value})),
    ("ports", f"{OK}:80", frozenset({Rule.PORT_NOT_NAMED.value})),
    ("ports", f"{OK}:0", MALFORMED),
    ("ports", f"{OK}:65979", MALFORMED),  # 443 modulo 65,536
    ("ports", f"{OK}:+443", MALFORMED),
    ("ports", f"{OK}:0443", MALFORMED),
    ("ports", f"{OK}:-1", MALFORMED),
    ("ports", f"{OK}:443:25", MALFORMED),
    ("ports", f"{OK}:", MALFORMED),
    ("ports", OK, MALFORMED),
    ("ports", f"{OK}:443x", MALFORMED),
    ("ports", f"{OK}:https", MALFORMED),
    ("a URL as the target", f"https://{OK}:443", MALFORMED),
    ("a URL as the target", f"https://{EVIL}/", MALFORMED),
)
LITERALS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("dotted", (addresses.OUTLAW_IPV4, addresses.NODE_IPV4, addresses.METADATA_IPV4, "127.0.0.1", "0.0.0.0")),
    ("decimal", ("3325256770", "2130706433", "2851995902", "174718977")),
    ("octal", ("0306.063.0144.0102", "030614662102", "0177.0.0.1", "0251.0376.0251.0376")),
    ("hexadecimal", ("0xc6.0x33.0x64.0x42", "0xc6336442", "0x7f000001", "0xA9.0xFE.0xA9.0xFE")),
    ("short", ("198.51.25666", "127.1", "10.5898241", "0")),
    ("mixed", ("0xc6.063.100.66", "0x7f.1", "127.0x1", "169.254.0xa9fe")),
    ("with dots and zeroes", (f"{addresses.OUTLAW_IPV4}.", "198.051.100.066", "127.0.0.1.", "1.2.3.4.5")),
    (
        "wide digits",
        ("\uff11\uff19\uff18.51.100.66".encode().decode("latin-1"), "①②⑦.0.0.1".encode().decode("latin-1")),
    ),
    ("IPv6", (f"[{addresses.OUTLAW_IPV6}]", f"[{addresses.NODE_IPV6}]", "[::1]", "[::]")),
    ("IPv6, unbracketed", (addresses.OUTLAW_IPV6, "::1")),
    ("IPv4-mapped", (f"[::ffff:{addresses.OUTLAW_IPV4}]", "[::ffff:c633:6442]", "[::ffff:7f00:1]")),
    ("IPv4-compatible", (f"[::{addresses.OUTLAW_IPV4}]", "[::7f00:1]")),
    ("NAT64", ("[64:ff9b::c633:6442]", f"[64:ff9b::{addresses.NODE_IPV4}]", "[64:ff9b:1::a9fe:a9fe]")),
    ("6to4", ("[2002:c633:6442::1]", "[2002:a9fe:a9fe::]")),
    ("Teredo", ("[2001:0:c633:6442::]",)),
    ("zone ids", ("[fe80::1%eth0]", "[fe80::1%25eth0]", f"[{addresses.NODE_IPV6}%1]")),
    ("broken brackets", (f"[{addresses.OUTLAW_IPV4}]", "[::1", "::1]", "[]", f"[{OK}]")),
    ("services that speak addresses", ("198.51.100.66.nip.example",)),
)


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Ask for tunnels; no answer may be a 2xx."""
    for line, name, rules in NAMES:
        yield _attempt(4, line, name, f"{name}:443", rules)
    for line, target, rules in PORTS:
        yield _attempt(4, line, target, target, rules)
    for line, literals in LITERALS:
        for literal in literals:
            rules = UNNAMED if "nip" in literal else MALFORMED
            yield _attempt(5, line, literal, f"{literal}:443", rules)
    for literal, port in ((addresses.NODE_IPV4, addresses.API_PORT), (f"[{addresses.NODE_IPV6}]", 10250)):
        yield _attempt(5, "the node", f"{literal}:{port}", f"{literal}:{port}", ADDRESS)
    for address in (*stage.neighbour,):
        literal = f"[{address}]" if ":" in address else address
        yield _attempt(5, "another pod", literal, f"{literal}:{stage.neighbour_port}", ADDRESS)


def _attempt(group: int, line: str, variant: str, target: str, rules: frozenset[str]) -> Attempt:
    return Attempt(group, line, variant, connect(target), CONTROL, Witness.RULE, rules)


def connect(target: str, *more: str) -> dict[str, object]:
    """Ask for a tunnel to a target as it is spelt."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *more, "", ""]
    return {"kind": "head", "parts": ["\r\n".join(lines)]}


CONTROL: Final = Control(
    Where.AGENT, {"kind": "head", "parts": [f"CONNECT {OK}:443 HTTP/1.1\r\nHost: {OK}:443\r\n\r\n"]}
)
