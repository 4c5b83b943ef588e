"""Group 7: what goes through a tunnel that was granted for one name."""

from collections.abc import Iterator
from typing import Final

from tests.battery import hello
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

OK: Final = addresses.WEBSITE_NAME
EVIL: Final = addresses.OUTLAW_NAME
Rule = contract.Rule
HELLO: Final = frozenset({Rule.SNI_MISSING.value, Rule.SNI_MISMATCH.value, Rule.SNI_MALFORMED.value})
SHAPED: Final = Control(Where.AGENT, {"kind": "bytes", "host": OK, "hello": "honest"})
SLOW: Final = Control(Where.AGENT, {"kind": "bytes", "host": OK, "hello": "honest byte by byte", "pause": 0.002})
SPLIT: Final = Control(Where.AGENT, {"kind": "bytes", "host": OK, "hello": "honest in many records"})
PLAIN: Final[dict[str, list[str]]] = {
    "GET": ["GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"],
    "GET for another host": [f"GET / HTTP/1.1\r\nHost: {EVIL}\r\n\r\n"],
    "h2c by prior knowledge": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"],
    "h2c by upgrade": [
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    ],
    "WebSocket": [
        "GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ],
    "a second CONNECT": [f"CONNECT {EVIL}:443 HTTP/1.1\r\nHost: {EVIL}:443\r\n\r\n"],
    "SSH": ["SSH-2.0-OpenSSH_9.9\r\n"],
    "SMTP": ["EHLO example.com\r\n"],
    "DNS over TCP": ["\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\4docs\7example\3com\0\0\1\0\1"],
    "SOCKS 5": ["\5\1\0"],
    "zeroes": ["\0" * 2000],
    "one byte": ["G"],
    "CR LF first": ["\r\n\r\nGET / HTTP/1.1\r\n\r\n"],
}


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Open a tunnel to an allowed name, then be somebody else in it."""
    del stage
    for shape in hello.REFUSED:
        pause = 0.002 if "byte by byte" in shape else 0.05
        probe = {"kind": "bytes", "host": OK, "hello": shape, "other": EVIL, "pause": pause}
        control = SLOW if "byte by byte" in shape else SPLIT if "many records" in shape else SHAPED
        line = "ECH" if "encrypted" in shape else "ClientHello"
        yield Attempt(7, line, shape, probe, control, Witness.SILENT_RULE, HELLO)
    for variant, parts in PLAIN.items():
        probe = {"kind": "bytes", "host": OK, "parts": [part.replace("{host}", OK) for part in parts]}
        yield Attempt(7, "plaintext at port 443", variant, probe, SHAPED, Witness.SILENT_RULE, HELLO)
    for sni in (EVIL, f"x{OK}", f"{OK}.example.net", addresses.LLM_NAME):
        probe = {"kind": "tunnel", "host": OK, "sni": sni, "path": "/?sni={id}"}
        control = Control(Where.AGENT, {"kind": "tunnel", "host": OK, "path": "/?control=7"})
        yield Attempt(7, "SNI of another host", sni, probe, control, Witness.SILENT_RULE, HELLO)
    early = f"CONNECT {OK}:443 HTTP/1.1\r\nHost: {OK}:443\r\n\r\n"
    for variant, first in (
        ("plain HTTP behind the CONNECT", f"GET http://{EVIL}/?{{id}} HTTP/1.1\r\nHost: {EVIL}\r\n\r\n"),
        ("a second CONNECT behind it", f"CONNECT {EVIL}:443 HTTP/1.1\r\nHost: {EVIL}:443\r\n\r\n"),
    ):
        # The 200 is for the allowed host; a second answer would be an escape: told by `find`.
        yield Attempt(
            7, "bytes before the answer", variant,
            {"kind": "pipeline", "parts": [early + first]},
            Control(Where.AGENT, {"kind": "head", "parts": [early]}), Witness.SILENT_RULE, HELLO,
        )  # fmt: skip
