"""Requests on routes, and the routes that they ask for, as the unit tests need them."""

from zaum_api import documents
from zaum_watchdog.core import refusals, requests
from zaum_watchdog.shell import llhttp

HOST = "Host: 127.0.0.1:15002"
SECRET = b"sk-test-0123456789/+abcdef"


def raw(*lines: str, start: str = "POST /openai/chat/completions HTTP/1.1", host: str = HOST) -> bytes:
    return "\r\n".join([start, *([host] if host else []), *lines, "", ""]).encode("latin-1")


def read(data: bytes) -> requests.Request | refusals.Refusal:
    """Read a request that has arrived whole."""
    length = requests.end_of_head(data)
    if isinstance(length, refusals.Refusal):
        return length
    assert length is not None, "there is no blank line"
    return requests.read(data[:length], llhttp.second(data[:length]))


def read_alone(data: bytes) -> requests.Request | refusals.Refusal:
    """Read it with no help of the second parser: one that takes everything."""
    length = requests.end_of_head(data)
    if isinstance(length, refusals.Refusal):
        return length
    assert length is not None, "there is no blank line"
    first, *lines = data[: length - 4].split(b"\r\n")
    method, _, rest = first.partition(b" ")
    names = [line.partition(b":")[0].lower() for line in lines]
    return requests.read(data[:length], requests.Parsed(method, rest.rpartition(b" ")[0], names))


def understood(data: bytes) -> requests.Request:
    found = read(data)
    assert isinstance(found, requests.Request), found
    return found


def route(
    *allow: documents.Allowed,
    name: str = "openai",
    credential: documents.Credential | None = documents.Credential("authorization", "Bearer "),
    host: str = "api.example.com",
    port: int = 443,
    base: str = "/v1",
    tls: bool = True,
    service: bool = False,
) -> documents.Route:
    entries = allow or (documents.Allowed(("POST",), "/chat/completions"),)
    return documents.Route(name, host, port, base, entries, credential, tls, service)
