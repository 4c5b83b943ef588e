"""HTTP: heads at the proxy and on routes, answers of upstreams and of the gateway, bodies, credentials in answers."""

from typing import Final

from tests.fuzz import target
from zaum_api import documents
from zaum_egress import hosts
from zaum_watchdog.core import bodies, echo, gateway_answer, heads, requests, responses, routes, session_answer
from zaum_watchdog.shell import llhttp

SECRET: Final = b"sk-live-0123456789/+abcdef-ghij"
_SEARCHED: Final = echo.Searched.of(SECRET)
# Written out once more, so that the product's own list is held against something.
_NEVER_SENT: Final = {
    *(b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"proxy-authorization", b"cookie", b"x-api-key"),
    *(b"api-key", b"x-goog-api-key", b"forwarded", b"via", b"x-real-ip", b"expect", b"x-original-url"),
}
_ROUTES: Final = {
    "openai": routes.Route.of(
        documents.Route(
            "openai",
            "api.example.com",
            443,
            "/v1",
            (documents.Allowed(("GET", "POST", "PUT", "HEAD"), "/chat/*"), documents.Allowed(("GET",), "/models")),
            documents.Credential("authorization", "Bearer "),
        ),
        "routes[0]",
    )
}


def check_proxy(data: bytes) -> None:
    """What is taken has one target, which its Host does not contradict."""
    head = llhttp.parse(data)
    if head is None:
        return
    found = heads.read(head)
    if isinstance(found, heads.Refused):
        assert found.problem
        return
    assert head.method == b"CONNECT"
    assert hosts.parse_authority(f"{found.host.name}:{found.port}") == found
    assert found.host.name.encode() in data.lower()
    assert not {b"transfer-encoding"} & {name for name, _ in head.headers}


def check_route(data: bytes) -> None:
    """The verdict does not depend on pieces, and what is sent on has one reading, which is what was decided."""
    end = requests.end_of_head(data)
    early = requests.end_of_head(data[: target.cut(data)])
    if early is not None:
        assert type(early) is type(end)
        if isinstance(early, int):
            assert early == end
    if not isinstance(end, int):
        return
    raw = data[:end]
    request = requests.read(raw, llhttp.second(raw))
    if not isinstance(request, requests.Request):
        assert request.message
        return
    asked = routes.decide(_ROUTES, request)
    if isinstance(asked, routes.Asked):
        _sent_on(asked, routes.head(asked, SECRET))


def _sent_on(asked: routes.Asked, head: bytes) -> None:
    assert requests.end_of_head(head) == len(head)
    again = requests.read(head, llhttp.second(head))
    assert isinstance(again, requests.Request), again
    assert (again.method, again.length) == (asked.request.method, asked.request.length)
    assert again.target.path == "/v1" + asked.path
    assert again.target.query == asked.request.target.query
    sent = again.headers
    assert [value for name, value in sent if name == b"authorization"] == [b"Bearer " + SECRET]
    assert [value for name, value in sent if name == b"host"] == [b"api.example.com"]
    assert [value for name, value in sent if name == b"accept-encoding"] == [b"identity"]
    names = {name for name, _ in sent}
    assert not names & _NEVER_SENT
    assert not [name for name in names if name.startswith((b"x-forwarded-", b"x-zaum-"))]


def check_answer(data: bytes) -> None:
    """An upstream's answer: pieces change nothing, and what the agent gets has the same reading."""
    end = responses.end_of_head(data)
    early = responses.end_of_head(data[: target.cut(data)])
    if early is not None:
        assert type(early) is type(end)
    for method in ("GET", "HEAD"):
        _read(data, end, method)
    gateway_answer.read(data)
    gateway_answer.parts(data)
    session_answer.read(data)


def _read(data: bytes, end: int | responses.Malformed | None, method: str) -> None:
    if not isinstance(end, int):
        return
    answer = responses.read(data[:end], method=method)
    if isinstance(answer, responses.Malformed):
        assert answer.problem
        return
    if answer.interim:
        return
    head = responses.head(answer, method=method, keep=True)
    assert responses.end_of_head(head) == len(head)
    again = responses.read(head, method=method)
    assert isinstance(again, responses.Answer), again
    assert again.status == answer.status
    assert (again.ends is responses.Ends.CHUNKED) == responses.chunked(answer)
    names = {name for name, _ in again.headers}
    assert not names & {b"set-cookie", b"connection", b"keep-alive", b"upgrade", b"trailer", b"alt-svc"}
    assert not names & (answer.named - {b"content-length", b"transfer-encoding"})
    _same_body(answer, data[end:])


def _same_body(answer: responses.Answer, data: bytes) -> None:
    whole, pieces = (
        _drained(answer.body(), [data]),
        _drained(answer.body(), [data[: target.cut(data)], data[target.cut(data) :]]),
    )
    assert whole == pieces


def _drained(body: bodies.Body, pieces: list[bytes]) -> tuple[bytes, bool, bytes, bool]:
    """Give the content, whether the body is complete, what is behind it, and whether something was wrong."""
    content, done, rest = b"", False, b""
    waiting = list(reversed(pieces))
    while waiting:
        piece = waiting.pop()
        if done:
            rest += piece
            continue
        taken = body.feed(piece)
        content += b"".join(taken.pieces)
        done, rest = taken.done, taken.rest
        if taken.problem:
            return content, False, b"", True
        if taken.later:
            waiting.append(taken.later)
    return content, done, rest, False


def check_body(data: bytes) -> None:
    """A chunked body has one reading in any pieces, and written anew it has the same."""
    whole = _drained(bodies.Chunked(), [data])
    at = target.cut(data)
    assert _drained(bodies.Chunked(), [data[:at], data[at:]]) == whole
    content, done, _, wrong = whole
    if done and not wrong:
        assert _drained(bodies.Chunked(), [bodies.chunk([content]) + bodies.LAST_CHUNK]) == (content, True, b"", False)


def check_echo(data: bytes) -> None:
    """Nothing of a credential gets out, and nothing else is lost."""
    scanner = echo.Scanner(_SEARCHED)
    at = target.cut(data)
    out = scanner.feed(data[:at]) + scanner.feed(data[at:])
    out += b"" if scanner.found else scanner.end()
    assert not _SEARCHED.within(out)
    assert data.startswith(out)
    assert scanner.found == _SEARCHED.within(data)
    assert scanner.found or out == data


def _head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_CONNECT: Final = "CONNECT api.example.com:443 HTTP/1.1"
_LOCAL: Final = "Host: 127.0.0.1:15002"
_WORDS: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b": ", b":", b",", b"\r\n ", b"\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0"),
    *(b"HTTP/2.0", b"GET ", b"POST ", b"CONNECT ", b"Host: evil.example.com\r\n", b"Content-Length: 5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: xchunked\r\n", b"Content-Length: +5\r\n"),
    *(b"Connection: close\r\n", b"Connection: host, authorization\r\n", b"Connection: x-a, content-length\r\n"),
    *(b"Authorization: Bearer mine\r\n", b"Cookie: a=b\r\n", b"X-Forwarded-For: 1.1.1.1\r\n", b"X-Zaum-Pod: a\r\n"),
    *(b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"Accept-Encoding: gzip\r\n", b"X-A: b\r\n"),
    *(b"Content_Length: 5\r\n", b"Content-Length : 5\r\n", b"X-Original-URL: /admin\r\n", b"\xff", b"%2e%2e/", b"/../"),
)
_ANSWER_WORDS: Final = (
    *_WORDS,
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 Switching\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204\r\n"),
    *(
        b"Set-Cookie: a=b\r\n",
        b"Keep-Alive: timeout=5\r\n",
        b"Content-Encoding: gzip\r\n",
        b"x-zaum-rule: egress.hosts\r\n",
    ),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"FFFFFFFFF\r\n", b"05\r\n", b"5;a=b\r\n"),
)
_BODY_WORDS: Final = (
    *(
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"1\r\na\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"0x5\r\n",
        b"05\r\n",
        b"-1\r\n",
    ),
    *(
        b"FFFFFFFF\r\n",
        b"FFFFFFFFF\r\n",
        b"5;a\r\n",
        b" 5\r\n",
        b"X: y\r\n",
        b"X : y\r\n",
        b"a\r\n0123456789\r\n",
        b"\0",
    ),
)
_ECHO_WORDS: Final = (*_SEARCHED.spellings, SECRET[:20], SECRET[5:], SECRET[:-1], b"sk-live-", b"a", b"data: ", b"\n\n")
TARGETS: Final = (
    target.Target(
        "proxy heads",
        check_proxy,
        (
            _head(_CONNECT, "Host: api.example.com:443"),
            _head(_CONNECT, "Host: api.example.com", "User-Agent: curl/8", "Proxy-Connection: Keep-Alive"),
            _head("CONNECT api.example.com:443 HTTP/1.0"),
            _head("GET http://api.example.com/ HTTP/1.1", "Host: api.example.com"),
            _head(_CONNECT, "Host: evil.example.com:443", "Transfer-Encoding: chunked"),
        ),
        (*_WORDS, b"api.example.com:443", b"127.0.0.1:443", b"[::1]:443", b":443"),
        target.joined(_WORDS, most=6).map(
            lambda drawn: (_CONNECT + "\r\nHost: api.example.com:443\r\n").encode() + drawn + b"\r\n"
        ),
    ),
    target.Target(
        "route heads",
        check_route,
        (
            _head("GET /openai/models HTTP/1.1", _LOCAL),
            _head(
                "GET /openai/models?limit=2 HTTP/1.1", _LOCAL, "Accept: */*", "Connection: keep-alive, x-a", "X-A: 1"
            ),
            _head("POST /openai/chat/completions HTTP/1.1", _LOCAL, "Content-Length: 5", "Authorization: Bearer x")
            + b"hello",
            _head("PUT /openai/chat/a%7Eb HTTP/1.1", _LOCAL, "Transfer-Encoding: chunked", "Expect: 100-continue"),
            _head(
                "HEAD /openai/chat/x HTTP/1.1", _LOCAL, "X-Forwarded-For: 10.0.0.1", "Cookie: a", "Accept-Encoding: br"
            ),
            _head("GET /other/models HTTP/1.1", _LOCAL, "Upgrade: h2c"),
        ),
        _WORDS,
        target.joined(_WORDS, most=6).map(
            lambda drawn: b"POST /openai/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n" + drawn + b"\r\n"
        ),
    ),
    target.Target(
        "answers",
        check_answer,
        (
            _head("HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 2") + b"{}",
            _head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Type: text/event-stream")
            + b"5\r\nhello\r\n0\r\n\r\n",
            _head("HTTP/1.1 302 Found", "Location: https://evil.example.com/", "Content-Length: 0", "Set-Cookie: a=b"),
            _head("HTTP/1.0 200 OK", "Connection: keep-alive") + b"until the end",
            _head("HTTP/1.1 204 No Content", "Connection: close, x-a", "X-A: b", "Keep-Alive: timeout=5"),
            _head(
                "HTTP/1.1 403 Forbidden",
                "x-zaum-rule: egress.hosts",
                "content-type: application/json",
                "content-length: 2",
            )
            + b"{}",
            _head("HTTP/1.1 200 OK", "x-zaum-rule: egress.allowed", "content-length: 147")
            + documents.Session("1/m/1", bytes(range(32)), 600, 1_800_000_000).dump(),
        ),
        _ANSWER_WORDS,
        target.joined(_ANSWER_WORDS, most=6).map(
            lambda drawn: b"HTTP/1.1 200 OK\r\n" + drawn + b"\r\n5\r\nhello\r\n0\r\n\r\n"
        ),
    ),
    target.Target(
        "chunked bodies",
        check_body,
        (
            b"5\r\nhello\r\n0\r\n\r\n",
            b"1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 5\r\n\r\nGET ",
            b"1\r\na\r\n" * 300 + b"0\r\n\r\n",
        ),
        _BODY_WORDS,
        target.joined(_BODY_WORDS, most=12),
    ),
    target.Target(
        "credentials in answers",
        check_echo,
        (b"a" * 40 + SECRET + b"b" * 40, *_SEARCHED.spellings, SECRET[:-1] + b"x", b"data: hello\n\n" * 8),
        _ECHO_WORDS,
        target.joined(_ECHO_WORDS, most=10),
    ),
)
