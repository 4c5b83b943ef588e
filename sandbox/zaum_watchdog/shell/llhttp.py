"""Parse request heads by llhttp, the parser of Node.js. What it lets through is judged by the core."""

import httptools

from zaum_watchdog.core import heads, requests


class _Collector:
    """What the parser calls."""

    __slots__ = ("headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self.headers.append((name.lower(), value))


def parse(raw: bytes) -> heads.Head | None:
    """Parse one whole head by llhttp; None for what it refuses."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # How the parser reports a CONNECT.
    except httptools.HttpParserError:
        return None
    return heads.Head(parser.get_method(), collector.target, parser.get_http_version(), collector.headers, raw)


def second(raw: bytes) -> requests.Parsed | None:
    """Give what llhttp makes of a head that `core.requests` reads itself; None for what it refuses."""
    head = parse(raw)
    return None if head is None else requests.Parsed(head.method, head.target, [name for name, _ in head.headers])
