"""The probe that tells tests what a pod can reach: it must never call a closed door open, nor the other way."""

import errno
import json
import pathlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import doors
import probe
import pytest

from tests.cluster import addresses

AROUND = doors.Surroundings(
    website=addresses.WEBSITE_IPV4,
    website_ipv6=addresses.WEBSITE_IPV6,
    outlaw=addresses.OUTLAW_IPV4,
    outlaw_ipv6=addresses.OUTLAW_IPV6,
    resolver=addresses.WORLD_DNS_IPV4,
    cluster_resolver=addresses.CLUSTER_DNS_IPV4,
    metadata=addresses.METADATA_IPV4,
    api_service=addresses.API_SERVICE_IPV4,
    node=addresses.NODE_IPV4,
    public_name=addresses.WEBSITE_NAME,
)

Answering = Callable[[bytes], int]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Give a function that starts a loopback server which reads once, sends these bytes, and hangs up."""
    serving: list[threading.Thread] = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        serving.append(threading.Thread(target=_serve, args=(listener, answer), daemon=True))
        port: int = listener.getsockname()[1]
        serving[-1].start()
        return port

    yield start
    for thread in serving:
        thread.join(10)
        assert not thread.is_alive(), "a server was started that nobody called"


def _serve(listener: socket.socket, answer: bytes) -> None:
    with listener:
        connection, _ = listener.accept()
    with connection:
        if answer:
            connection.recv(65536)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "refused"),
        (OSError(errno.ENETUNREACH, ""), "unreachable"),
        (ConnectionResetError(errno.ECONNRESET, ""), "reset"),
        (OSError(errno.EPERM, ""), "EPERM"),
        (ssl.SSLEOFError(), "reset"),
    ],
)
def test_a_failure_has_one_word(error: OSError, word: str) -> None:
    assert probe.word_for(error) == word


def test_a_listening_port_is_open(answering: Answering) -> None:
    attempt = {"probe": "tcp", "address": "127.0.0.1", "port": answering(b""), "label": "a door"}
    finding = probe.try_one(attempt)
    assert (finding["outcome"], finding["name"], finding["target"]) == (
        "open",
        "a door",
        f"127.0.0.1:{attempt['port']}",
    )


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        finding = probe.try_one({"probe": "tcp", "address": "127.0.0.1", "port": bound.getsockname()[1]})
    assert finding["outcome"] == "refused"


def test_a_datagram_that_comes_back_is_open() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind(("127.0.0.1", 0))
        serving = threading.Thread(target=lambda: echo.sendto(*echo.recvfrom(100)), daemon=True)
        serving.start()
        finding = probe.try_one({"probe": "udp", "address": "127.0.0.1", "port": echo.getsockname()[1]})
        serving.join(10)
    assert (finding["outcome"], finding["bytes"]) == ("open", len(b"zaum probe"))


def test_a_proxy_s_refusal_carries_its_rule_and_its_patience(answering: Answering) -> None:
    port = answering(b"HTTP/1.1 429 Too Many Requests\r\nX-Zaum-Rule: limits\r\nRetry-After: 7\r\n\r\n")
    finding = probe.try_one({"probe": "proxy", "host": "docs.example.com", "proxy": f"http://127.0.0.1:{port}"})
    assert (finding["outcome"], finding["rule"], finding["retryAfter"]) == ("429", "limits", "7")


def test_a_tunnel_that_is_reset_inside_is_told_apart_from_one_that_is_refused(answering: Answering) -> None:
    port = answering(b"HTTP/1.1 200 OK\r\n\r\n")
    attempt = {"probe": "proxy", "host": "docs.example.com", "path": "/", "proxy": f"http://127.0.0.1:{port}"}
    finding = probe.try_one(attempt)
    assert (finding["outcome"], finding["inner"]) == ("200", "reset")


def test_a_proxy_that_hangs_up_is_a_reset(answering: Answering) -> None:
    finding = probe.try_one({"probe": "proxy", "host": "x", "proxy": f"http://127.0.0.1:{answering(b'')}"})
    assert finding["outcome"] == "reset"


def test_a_status_is_read_without_a_proxy(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    port = answering(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert probe.try_one({"probe": "http", "url": f"http://127.0.0.1:{port}/"})["outcome"] == "204"


def test_attempts_are_read_from_text_and_from_a_file(tmp_path: pathlib.Path) -> None:
    text = json.dumps([{"probe": "tcp", "address": "127.0.0.1", "port": 1}])
    (tmp_path / "doors.json").write_text(text)
    assert probe.read_attempts(text) == probe.read_attempts(f"@{tmp_path}/doors.json")


def test_an_unknown_kind_of_attempt_is_an_error_not_a_closed_door() -> None:
    with pytest.raises(SystemExit, match="tpc"):
        probe.read_attempts('[{"probe": "tpc", "address": "127.0.0.1", "port": 1}]')


def test_each_door_has_its_own_label_and_a_known_kind() -> None:
    attempts = doors.attempts(AROUND)
    labels = [attempt["label"] for attempt in attempts]
    assert len(labels) == len(set(labels)) >= 10
    assert probe.read_attempts(json.dumps(attempts)) == attempts


def test_attempts_that_are_made_together_are_told_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meets(attempt: probe.Attempt) -> probe.Finding:
        meeting.wait()
        return {"outcome": "open"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probe.KINDS, "meet", meets)
        attempts = [{"probe": "meet", "address": str(number)} for number in range(3)]
        found = list(probe.report(attempts, together=True))
    assert [(line["target"], line["outcome"]) for line in found] == [("0", "open"), ("1", "open"), ("2", "open")]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found
