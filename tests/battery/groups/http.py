"""Group 8: requests that two parsers would read differently, at the proxy and, where there is one, at a route.

A hidden request asks for SMUGGLED: where the world sees that path, something got through.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.battery.groups.names import CONTROL
from tests.battery.lines import Attempt, Control, Needs, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

OK: Final = addresses.WEBSITE_NAME
EVIL: Final = addresses.OUTLAW_NAME
ROUTE: Final = "api"
SMUGGLED: Final = "/smuggled?{id}"
Rule = contract.Rule
REFUSALS: Final = frozenset(
    {
        Rule.REQUEST_MALFORMED.value, Rule.PLAIN_HTTP.value, Rule.HOST_MALFORMED.value, Rule.HEAD_TOO_LARGE.value,
        Rule.REQUEST_TOO_LARGE.value, Rule.ROUTE_NOT_ALLOWED.value, Rule.ROUTE_HEADER.value, Rule.ROUTE_UNKNOWN.value,
        Rule.HOST_NOT_NAMED.value, Rule.HOST_IS_ADDRESS.value,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One message: `{start}` stands for the target's beginning, `{host}` for its Host."""

    line: str
    variant: str
    parts: tuple[str, ...]
    pause: float = 0.0
    silent: bool = False
    """No answer is due: the message has no end."""


HIDDEN: Final = "GET {start}" + SMUGGLED + " HTTP/1.1\r\nHost: {host}\r\n\r\n"


def post(*headers: str, body: str = "", version: str = "HTTP/1.1", host: str = "Host: {host}") -> str:
    """Write a POST with exactly these headers."""
    return "\r\n".join([f"POST {{start}}/v1/items {version}", *([host] if host else []), *headers, "", body])


FRAMING: Final = (
    Case("CL and TE", "CL, TE", (post("Content-Length: 4", "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),)),
    Case("CL and TE", "TE, CL", (post("Transfer-Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n" + HIDDEN),)),
    Case(
        "CL and TE", "CL 0, TE", (post("Content-Length: 0", "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),)
    ),
    Case("TE spelt oddly", "xchunked", (post("Transfer-Encoding: xchunked", body="0\r\n\r\n" + HIDDEN),)),
    Case("TE spelt oddly", "tab", (post("Transfer-Encoding:\tchunked\x0b", body="0\r\n\r\n" + HIDDEN),)),
    Case(
        "TE spelt oddly", "identity", (post("Transfer-Encoding: identity", "Content-Length: 3", body="abc" + HIDDEN),)
    ),
    Case(
        "TE spelt oddly",
        "chunked, identity",
        (post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n" + HIDDEN),),
    ),
    Case("TE spelt oddly", "twice", (post("Transfer-Encoding: chunked", "Transfer-Encoding: gzip", body="0\r\n\r\n"),)),
    Case(
        "TE spelt oddly", "a space before the colon", (post("Transfer-Encoding : chunked", body="0\r\n\r\n" + HIDDEN),)
    ),
    Case("TE spelt oddly", "underscore", (post("Transfer_Encoding: chunked", "Content-Length: x", body=HIDDEN),)),
    Case(
        "TE spelt oddly",
        "HTTP/1.0",
        (post("Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN, version="HTTP/1.0"),),
    ),
    Case("two CL", "different", (post("Content-Length: 3", "Content-Length: 30", body="abc" + HIDDEN),)),
    Case("two CL", "in one line", (post("Content-Length: 3, 30", body="abc" + HIDDEN),)),
    Case("CL spelt oddly", "plus", (post("Content-Length: +3", body="abc" + HIDDEN),)),
    Case("CL spelt oddly", "minus", (post("Content-Length: -1", body=HIDDEN),)),
    Case("CL spelt oddly", "hexadecimal", (post("Content-Length: 0x3", body="abc" + HIDDEN),)),
    Case("CL spelt oddly", "2^64", (post("Content-Length: 18446744073709551619", body="abc" + HIDDEN),)),
    Case("CL spelt oddly", "letters", (post("Content-Length: 3a", body="abc" + HIDDEN),)),
    Case("chunks", "size with a sign", (post("Transfer-Encoding: chunked", body="+3\r\nabc\r\n0\r\n\r\n"),)),
    Case("chunks", "size of 2^64", (post("Transfer-Encoding: chunked", body="10000000000000003\r\nabc\r\n0\r\n\r\n"),)),
    Case("chunks", "bare LF", (post("Transfer-Encoding: chunked", body="3\nabc\n0\n\n" + HIDDEN),)),
    Case("chunks", "no CR LF after data", (post("Transfer-Encoding: chunked", body="3\r\nabcX\r\n0\r\n\r\n"),)),
    Case("chunks", "NUL in the size", (post("Transfer-Encoding: chunked", body="3\0\r\nabc\r\n0\r\n\r\n"),)),
)
HEADS: Final = (
    Case("obs-fold", "in a header", (post("X-A: 1\r\n folded: yes", "Content-Length: 0"),)),
    Case("obs-fold", "in Transfer-Encoding", (post("Transfer-Encoding:\r\n chunked", body="0\r\n\r\n" + HIDDEN),)),
    Case("obs-fold", "before any header", ("GET {start}/v1/items HTTP/1.1\r\n Host: {host}\r\n\r\n",)),
    Case("bare LF or CR", "LF", ("GET {start}/v1/items HTTP/1.1\nHost: {host}\n\n",)),
    Case("bare LF or CR", "one LF", ("GET {start}/v1/items HTTP/1.1\r\nHost: {host}\nX: 1\r\n\r\n",)),
    Case("bare LF or CR", "CR in a value", (post("X-A: 1\rX-B: 2", "Content-Length: 0"),)),
    Case("bare LF or CR", "CR in a name", (post("X-\rA: 1", "Content-Length: 0"),)),
    Case("NUL", "in a value", (post("X-A: 1\0", "Content-Length: 0"),)),
    Case("NUL", "in a name", (post("X\0-A: 1", "Content-Length: 0"),)),
    Case("NUL", "in the target", ("GET {start}/v1\0/items HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("Host", "two", (post("Host: " + EVIL, "Content-Length: 0"),)),
    Case("Host", "the same twice", (post("Host: {host}", "Content-Length: 0"),)),
    Case("Host", "none", (post("Content-Length: 0", host=""),)),
    Case("Host", "two in one", (post("Content-Length: 0", host="Host: {host}, " + EVIL),)),
    Case("Host", "a space before the colon", (post("Content-Length: 0", host="Host : {host}"),)),
    Case("absolute form", "another Host", (f"GET http://{EVIL}" + SMUGGLED + " HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("absolute form", "an allowed host", (f"GET http://{OK}" + SMUGGLED + f" HTTP/1.1\r\nHost: {OK}\r\n\r\n",)),
    Case("absolute form", "https", (f"GET https://{OK}" + SMUGGLED + f" HTTP/1.1\r\nHost: {OK}\r\n\r\n",)),
    Case("absolute form", "file", ("GET file:///etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("versions", "HTTP/0.9", ("GET {start}/v1/items\r\n\r\n",)),
    Case("versions", "HTTP/2.0", ("GET {start}/v1/items HTTP/2.0\r\nHost: {host}\r\n\r\n",)),
    Case("versions", "HTTP/1.2", ("GET {start}/v1/items HTTP/1.2\r\nHost: {host}\r\n\r\n",)),
    Case("versions", "HTTP/11", ("GET {start}/v1/items HTTP/11\r\nHost: {host}\r\n\r\n",)),
    Case("versions", "HTTP/2's preface", ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",)),
    Case("start lines", "two spaces", ("GET  {start}/v1/items  HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("start lines", "tabs", ("GET\t{start}/v1/items\tHTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("start lines", "lower-case method", ("get {start}/v1/items HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("start lines", "unknown method", ("BREW {start}/v1/items HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("start lines", "TRACE", ("TRACE {start}/v1/items HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("start lines", "asterisk", ("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("sizes", "a head of 64 KiB", (post("X-A: " + "a" * 65536, "Content-Length: 0"),)),
    Case("sizes", "10,000 headers", (post(*(f"X-{number}: 1" for number in range(10_000)), "Content-Length: 0"),)),
    Case("sizes", "a target of 64 KiB", ("GET {start}/" + "a" * 65536 + " HTTP/1.1\r\nHost: {host}\r\n\r\n",)),
    Case("sizes", "one header's name of 20 KiB", (post("X-" + "a" * 20480 + ": 1", "Content-Length: 0"),)),
    Case(
        "slow",
        "a head without an end",
        ("GET {start}/v1/items HT", "TP/1.1\r\nHost: {host}\r\nX-A: "),
        0.4,
        silent=True,
    ),
    Case("slow", "one byte a time", tuple("GET {start}/"), 0.05, silent=True),
)
TUNNELS: Final = (
    Case("CONNECT with a body", "CL", ("CONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + ":443\r\nContent-Length: 5\r\n\r\nhello",)),  # noqa: E501 - one message
    Case("CONNECT with a body", "TE", ("CONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + ":443\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",)),  # noqa: E501 - one message
    Case("CONNECT, another Host", "outlaw", ("CONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + EVIL + "\r\n\r\n",)),
    Case("CONNECT, another Host", "two", ("CONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + "\r\nHost: " + EVIL + "\r\n\r\n",)),  # noqa: E501 - one message
    Case("CONNECT, another Host", "none", ("CONNECT " + OK + ":443 HTTP/1.1\r\n\r\n",)),
    Case("CONNECT, another Host", "folded", ("CONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + "\r\n " + EVIL + "\r\n\r\n",)),  # noqa: E501 - one message
    Case("CONNECT, a second behind a refusal", "pipelined", ("CONNECT " + EVIL + ":443 HTTP/1.1\r\nHost: " + EVIL + ":443\r\n\r\nCONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + ":443\r\n\r\n",)),  # noqa: E501 - one message
    Case("CONNECT, a second behind a refusal", "GET, then CONNECT", ("GET http://" + OK + "/ HTTP/1.1\r\nHost: " + OK + "\r\n\r\nCONNECT " + OK + ":443 HTTP/1.1\r\nHost: " + OK + ":443\r\n\r\n",)),  # noqa: E501 - one message
)  # fmt: skip
PATHS: Final = (
    "/{route}/../other/v1/items", "/{route}/%2e%2e/v1/items", "/{route}/v1/..%2fitems", "/{route}/v1/%2e%2e/%2e%2e/admin",  # noqa: E501 - one message
    "/{route}//v1/items", "/{route}/v1/items%00", "/{route}/v1\\items", "/{route}/v1/items%5c..", "/{route}/v1/%c0%ae%c0%ae/",  # noqa: E501 - one message
    "/{route}/v1/items#x", "/{route}/v1/items;/../admin", "/{route}/admin", "/{route}", "/other/v1/items", "//{route}/v1/items",  # noqa: E501 - one message
    "/", "/{route}%2fv1%2fitems", "/{route}/v1/items/../../admin", "/{route}/V1/items", "/{route}/v1/ïtems",
)  # fmt: skip


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Send them all to the proxy, and all but the CONNECTs to a route."""
    del stage
    for case in (*FRAMING, *HEADS):
        yield _attempt(case, start=f"http://{OK}", host=OK, to="", control=CONTROL)
    for case in TUNNELS:
        yield _attempt(case, start="", host=OK, to="", control=CONTROL)
    ok = post("Content-Length: 2", body="ok").replace("{start}", f"/{ROUTE}").replace("{host}", "127.0.0.1:15002")
    control = Control(Where.AGENT, {"kind": "head", "to": "routes", "parts": [ok]})
    for case in (*FRAMING, *HEADS):
        yield _attempt(case, start=f"/{ROUTE}", host="127.0.0.1:15002", to="routes", control=control)
    for path in PATHS:
        target = path.replace("{route}", ROUTE).encode().decode("latin-1")
        case = Case("paths", path, (f"POST {target} HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: 0\r\n\r\n",))
        yield _attempt(case, start="", host="127.0.0.1:15002", to="routes", control=control)
    for method in ("DELETE", "PUT", "CONNECT", "TRACE"):
        case = Case("methods", method, (f"{method} /{ROUTE}/v1/items HTTP/1.1\r\nHost: {{host}}\r\n\r\n",))
        yield _attempt(case, start="", host="127.0.0.1:15002", to="routes", control=control)


def _attempt(case: Case, *, start: str, host: str, to: str, control: Control) -> Attempt:
    parts = [part.replace("{start}", start).replace("{host}", host) for part in case.parts]
    if len(case.parts) > 4:  # letter by letter
        parts = list("".join(case.parts).replace("{start}", start))
    probe = {"kind": "head", "parts": parts, "pause": case.pause} | ({"to": to} if to else {})
    line = f"route: {case.line}" if to else case.line
    witness = Witness.FAR_END if case.silent else Witness.RULE
    return Attempt(
        8, line, case.variant, probe, control, witness, REFUSALS,
        needs=Needs.ROUTES if to else Needs.NOTHING, records=0 if case.silent else 1,
    )  # fmt: skip
