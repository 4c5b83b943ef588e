"""The pages for kubelet and scraper."""

import asyncio

import pytest

from zaum_api import contract
from zaum_gateway.shell import health, metrics


def exchange(raw: bytes, missing: str = "") -> bytes:
    """Send bytes to the real server on loopback and read until it closes."""

    async def run() -> bytes:
        server = await health.Health(lambda: missing, metrics.Metrics()).serve("127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(raw)
            if not raw.endswith(b"\r\n\r\n"):
                writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("head", "missing", "status", "body"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", "pods", b"200", b"ok"),
        (b"GET /readyz HTTP/1.1\r\n\r\n", "pods, keys", b"503", b"pods, keys"),
        (b"GET /readyz?verbose HTTP/1.1\r\n\r\n", "", b"200", b"ok"),
        (b"GET /else HTTP/1.1\r\n\r\n", "", b"404", b"not found"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", "", b"405", b"GET"),
    ],
)
def test_pages(head: bytes, missing: str, status: bytes, body: bytes) -> None:
    answer = exchange(head, missing)
    assert answer.split()[1] == status
    assert body in answer


@pytest.mark.parametrize("raw", [b"", b"GET /healthz", b"x" * 10_000])
def test_a_caller_without_a_head_is_dropped(raw: bytes) -> None:
    assert exchange(raw) == b""


def test_every_rule_is_a_series_from_the_start() -> None:
    figures = metrics.Metrics()
    figures.decided(contract.Rule.TOKEN_MISSING, 0.001)
    figures.follow("pods", lambda: 3.5)
    text = figures.text().decode()
    assert 'zaum_authorizer_decisions_total{rule="identity.tokenMissing"} 1.0' in text
    assert 'zaum_authorizer_feed_age_seconds{feed="pods"} 3.5' in text
    for rule in contract.Rule:
        assert f'rule="{rule.value}"' in text
