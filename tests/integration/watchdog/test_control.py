"""How the watchdog is steered: documents, token, signals, breaches, probes."""

import contextlib
import dataclasses
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.watchdog import conftest, rig, world
from zaum_api import contract, documents
from zaum_watchdog.shell import last_word

TARGET = "api.example.com:443"
OTHER = "other.example.com:443"
UID = 64998


def spliced(watchdog: rig.Watchdog, target: str) -> socket.socket:
    """Open a tunnel and bring it past its ClientHello."""
    tunnel = watchdog.tunnel(target)
    tunnel.sendall(rig.client_hello(target.partition(":")[0]))
    assert tunnel.recv(1) == b"\x16"
    return tunnel


def test_a_new_document_closes_what_it_forbids_and_keeps_the_rest(
    watchdog: rig.Watchdog, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    with spliced(watchdog, TARGET) as forbidden, watchdog.tunnel(OTHER) as kept:
        files.write(dataclasses.replace(config, hosts=(documents.HostRule("other.example.com"),)).dump())
        watchdog.record("tunnel", rule="config.removed", host="api.example.com")
        rig.drain(forbidden)
        assert watchdog.connect(TARGET).rule == "egress.hosts"
        kept.sendall(rig.client_hello("other.example.com"))
        assert kept.recv(1) == b"\x16"


WIDER = documents.HostRule("new.example.com")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "is not JSON"),
        (b'{"version":"v9"}', "version: is 'v9'"),
        (b'{"version":"v2","surprise":1}', "namespace: is missing"),
        (None, "does not match the digest"),
    ],
)
def test_a_broken_document_keeps_the_last_good_one_and_says_degraded(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig, raw: bytes | None, problem: str
) -> None:
    watchdog = start()
    wider = dataclasses.replace(config, hosts=(WIDER,)).dump()
    files.write(raw or wider, digest=None if raw else "sha256:" + "0" * 64)
    assert problem in watchdog.record("degraded")["problem"]
    health = watchdog.probe("/healthz")
    assert (health.status, health.json["status"]) == (200, "Degraded")
    assert b"example" not in health.body
    assert watchdog.metric("zaum_degraded") == 1
    assert watchdog.connect("new.example.com:443").rule == "egress.hosts"
    watchdog.tunnel(TARGET).close()
    files.write(wider)
    watchdog.record("config")
    rig.until(lambda: watchdog.metric("zaum_degraded") == 0, "still Degraded")
    watchdog.tunnel("new.example.com:443").close()


def test_a_rotated_token_is_used_at_once_and_a_missing_one_opens_nothing(
    watchdog: rig.Watchdog, files: rig.Files, config: documents.WatchdogConfig, gateway: world.Gateway
) -> None:
    files.write(config.dump(), token="token-2")
    rig.until(lambda: b"Bearer token-2\r\n" in _head(watchdog, gateway), "not rotated")
    assert not any(b"forged" in head for head in gateway.heads)
    files.write(config.dump(), token="two\nlines")
    rig.until(lambda: _asked(watchdog) == "identity.tokenMissing", "a broken token is still used")


def test_a_token_that_goes_while_the_gateway_is_dialled_is_missed_at_once(
    watchdog: rig.Watchdog, files: rig.Files, config: documents.WatchdogConfig, gateway: world.Gateway
) -> None:
    gateway.open.clear()
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET))
        rig.until(lambda: watchdog.metric("zaum_tunnels") == 1, "not dialled")
        files.write(dataclasses.replace(config, connections=7).dump(), token="two\nlines")
        watchdog.record("config")  # The token is read before the document.
        gateway.open.set()
        heard = b""
        with contextlib.suppress(TimeoutError):
            heard = dialled.recv(65536)
    assert b"x-zaum-rule: identity.tokenMissing\r\n" in heard
    assert not [head for head in gateway.heads if conftest.NAMED.encode() in head], "nothing was said without a proof"


def _head(watchdog: rig.Watchdog, gateway: world.Gateway) -> bytes:
    watchdog.tunnel(TARGET).close()
    return gateway.heads[-1]


def _asked(watchdog: rig.Watchdog) -> str:
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET))
        head = dialled.recv(65536).decode()
    return head.partition("x-zaum-rule: ")[2].partition("\r\n")[0]


def denied(above: int) -> documents.Runaway:
    return documents.Runaway(None, None, documents.DeniedDetector(above, 60))


def test_i08_denials_latch_cut_everything_and_fail_the_agents_probe(start: conftest.Start) -> None:
    watchdog = start(runaway=denied(5))
    assert watchdog.probe("/agent/live").status == 200
    with spliced(watchdog, TARGET) as tunnel:
        for _ in range(6):
            watchdog.connect("evil.example.com:443")
        assert watchdog.record("breach")["reason"] == "RunawayDenied"
        rig.drain(tunnel)
    watchdog.record("tunnel", rule="containment.latched")
    for path in ("/agent/live", "/agent/ready"):
        assert watchdog.probe(path).status == contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED]
    assert watchdog.probe("/healthz").status == 200
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule) == (403, "containment.latched")
    assert watchdog.metric("zaum_latched") == 1


def test_i08_a_new_document_does_not_unlatch(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    watchdog = start(runaway=denied(1))
    watchdog.connect("evil.example.com:443")
    watchdog.connect("evil.example.com:443")
    watchdog.record("breach")
    files.write(dataclasses.replace(config, runaway=denied(50)).dump())
    watchdog.record("config")
    assert watchdog.connect(TARGET).rule == "containment.latched"


def test_a_breach_leaves_its_reason_where_the_kubelet_and_the_operator_read_it(
    start: conftest.Start, files: rig.Files
) -> None:
    files.termination_log.write_bytes(b"")
    watchdog = start(runaway=denied(1))
    watchdog.connect("evil.example.com:443")
    assert watchdog.metric("zaum_latched") == 0
    assert files.termination_log.read_bytes() == b""
    for _ in range(3):
        watchdog.connect("evil.example.com:443")
    watchdog.record("breach")
    # It stands before anybody can hear of the breach, so before the kubelet ends the container and reads it.
    assert files.termination_log.read_bytes() == b"RunawayDenied\n"
    files.termination_log.write_bytes(b"kept")
    for _ in range(3):
        watchdog.connect("evil.example.com:443")
    assert watchdog.stop() == 0
    assert files.termination_log.read_bytes() == b"kept"
    assert not any(record["kind"] == "unheard" for record in watchdog.drained())


@pytest.mark.parametrize("breach", list(contract.Breach))
def test_the_operator_reads_the_last_word_as_what_it_was(tmp_path: Path, breach: contract.Breach) -> None:
    log = tmp_path / "termination-log"
    log.write_bytes(b"what an earlier run of this container left behind, and longer than any reason")
    assert last_word.leave(log, documents.LastWord(breach.value)) == ""
    word = documents.LastWord.read(log.read_text())
    assert word is not None
    assert word.breach is breach
    assert last_word.take_back(log) == ""
    assert documents.LastWord.read(log.read_text()) is None


def test_a_last_word_that_cannot_be_left_is_logged_and_the_verdict_stands(
    start: conftest.Start, files: rig.Files
) -> None:
    watchdog = start(runaway=denied(1))
    watchdog.connect("evil.example.com:443")
    watchdog.connect("evil.example.com:443")
    watchdog.record("breach")
    assert str(files.termination_log) in watchdog.record("unheard")["problem"]
    assert watchdog.connect(TARGET).rule == "containment.latched"
    assert not files.termination_log.exists()


@contextlib.contextmanager
def agents(count: int, script: str) -> Iterator[None]:
    """Run shells as the agent's uid."""
    running = [subprocess.Popen(["/bin/sh", "-c", script], user=UID, cwd="/") for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of another uid")


@needs_root
@pytest.mark.parametrize(
    ("runaway", "count", "script", "breach"),
    [
        (
            documents.Runaway(None, documents.ProcessDetector(2, 1), None),
            3,
            "exec sleep 60",
            contract.Breach.RUNAWAY_PROCESSES,
        ),
        (
            documents.Runaway(documents.CpuDetector(50, 1, 200), None, None),
            1,
            "while :; do :; done",
            contract.Breach.RUNAWAY_CPU,
        ),
    ],
)
def test_a_runaway_agent_is_noticed(
    start: conftest.Start, runaway: documents.Runaway, count: int, script: str, breach: contract.Breach
) -> None:
    watchdog = start(runaway=runaway, uid=UID)
    with agents(count, script):
        assert watchdog.record("breach")["reason"] == breach.value
        assert watchdog.metric("zaum_agent_processes") == count
    assert watchdog.probe("/agent/live").status == contract.BREACH_STATUS[breach]


@needs_root
def test_a_calm_agent_is_left_alone(start: conftest.Start) -> None:
    runaway = documents.Runaway(documents.CpuDetector(50, 1, 200), documents.ProcessDetector(2, 1), None)
    watchdog = start(runaway=runaway, uid=UID)
    with agents(2, "exec sleep 60"):
        rig.until(lambda: watchdog.metric("zaum_agent_processes") == 2, "not seen")
        seen = time.monotonic()
        rig.until(lambda: time.monotonic() - seen > 2.5 or watchdog.metric("zaum_latched") == 1, "no end")
        assert watchdog.metric("zaum_latched") == 0


def test_i08_a_frozen_watchdog_lets_nothing_through(watchdog: rig.Watchdog, echo: world.Echo) -> None:
    with spliced(watchdog, TARGET) as tunnel, watchdog.dial() as dialled:
        before = echo.received
        watchdog.process.send_signal(signal.SIGSTOP)
        rig.until(lambda: "T (stopped)" in Path(f"/proc/{watchdog.process.pid}/status").read_text(), "it does not stop")
        dialled.sendall(rig.connect_head(TARGET))
        tunnel.sendall(b"x" * 1000)
        dialled.settimeout(0.3)
        with pytest.raises(TimeoutError):
            dialled.recv(1)
        assert echo.received == before
        with socket.create_connection(("127.0.0.1", watchdog.probe_port), 0.3) as probe:
            probe.sendall(b"GET /agent/live HTTP/1.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                probe.recv(1)
        watchdog.process.send_signal(signal.SIGCONT)
        dialled.settimeout(world.WAIT)
        rig.read_established(dialled)
        rig.until(lambda: echo.received == before + 1000, "the positive control fails")


def test_i08_a_dead_watchdog_lets_nothing_through(watchdog: rig.Watchdog) -> None:
    with spliced(watchdog, TARGET) as tunnel:
        watchdog.process.kill()
        watchdog.process.wait(world.WAIT)
        rig.drain(tunnel)
    with pytest.raises(ConnectionRefusedError):
        watchdog.dial()


def test_sigterm_ends_tunnels_and_the_process_in_less_than_a_second(watchdog: rig.Watchdog) -> None:
    with spliced(watchdog, TARGET) as tunnel:
        asked = time.monotonic()
        assert watchdog.stop() == 0
        assert time.monotonic() - asked < 1
        rig.drain(tunnel)
    assert any(record["kind"] == "stopped" for record in watchdog.drained())


def run(files: rig.Files, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start what must not stay: it ends by itself, with its reason on standard error."""
    paths = ("--config", files.config, "--digest", files.digest, "--token", files.token)
    try:
        return subprocess.run(
            [sys.executable, "-m", "zaum_watchdog", *paths, *arguments],
            env={"PYTHONPATH": f"{rig.ROOT / 'crds'}:{rig.ROOT / 'sandbox'}"},
            capture_output=True,
            text=True,
            timeout=world.WAIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it started, and still ran after {world.WAIT} s") from None


def test_without_a_good_document_it_does_not_start(files: rig.Files) -> None:
    ended = run(files)
    assert ended.returncode == 1
    assert "no usable config" in ended.stderr
    assert "No such file" in ended.stderr
    files.write(b"{}", digest="sha256:0")
    ended = run(files)
    assert ended.returncode == 1
    assert "does not match the digest" in ended.stderr


def test_a_host_that_is_not_canonical_is_no_good_document(files: rig.Files, config: documents.WatchdogConfig) -> None:
    files.write(dataclasses.replace(config, hosts=(documents.HostRule("API.example.com"),)).dump())
    ended = run(files)
    assert ended.returncode == 1
    assert "hosts[0].host" in ended.stderr


@pytest.mark.parametrize("port", ["--proxy-port", "--routes-port", "--probe-port"])
@pytest.mark.parametrize("reuse", [False, True])
def test_a_squatted_port_is_an_error_and_not_shared(
    files: rig.Files, config: documents.WatchdogConfig, reuse: bool, port: str
) -> None:
    files.write(config.dump())
    with socket.socket() as squatter:
        if reuse:
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        free = {"--proxy-port": "0", "--routes-port": "0", "--probe-port": "0"}
        taken = free | {port: str(squatter.getsockname()[1])}
        ended = run(files, *(word for pair in taken.items() for word in pair))
    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr


def test_the_probe_port_answers_what_it_should_and_nothing_else(watchdog: rig.Watchdog) -> None:
    said = {"status": "ok", "problem": "", "cage": "notProven", "reports": "ok", "ledger": "ok", "rung": "Free"}
    assert watchdog.probe("/healthz").json == said
    assert watchdog.probe("/agent/live").body == b"OK\n"
    assert watchdog.probe("/agent/ready").status == 200
    assert watchdog.probe("/").status == 404
    assert watchdog.probe("/metrics/../healthz").status == 404
    page = watchdog.probe("/metrics").body
    assert b"example" not in page
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as asked:
            asked.settimeout(world.WAIT)
            asked.connect((address, watchdog.probe_port))
            asked.sendall(b"DELETE /healthz HTTP/1.1\r\n\r\n")
            assert asked.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_crowd_at_the_probe_port_does_not_keep_the_kubelet_out(watchdog: rig.Watchdog) -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(150):
            crowd.enter_context(socket.create_connection(("127.0.0.1", watchdog.probe_port), world.WAIT))
        assert watchdog.probe("/agent/live").status == 200
        first = crowd.enter_context(socket.create_connection(("127.0.0.1", watchdog.probe_port), world.WAIT))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            first.sendall(b"x" * 8192)
            assert first.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_crowd_at_the_proxy_is_capped(start: conftest.Start) -> None:
    watchdog = start(connections=1)
    with contextlib.ExitStack() as crowd:
        idle = [crowd.enter_context(watchdog.dial()) for _ in range(66)]
        idle[-1].settimeout(world.WAIT)
        assert b"limits.connections" in idle[-1].recv(65536)
        assert watchdog.probe("/healthz").status == 200


def test_it_stays_small(watchdog: rig.Watchdog) -> None:
    watchdog.tunnel(TARGET).close()
    assert watchdog.resident_mib() <= 32


ALLOWED = {"httptools", "uvloop"}


def test_the_running_process_imports_only_what_it_may(start: conftest.Start) -> None:
    watchdog = start(interpreter=("-X", "importtime"), capture=True)
    watchdog.tunnel(TARGET).close()
    watchdog.connect("evil.example.com:443")
    watchdog.probe("/metrics")
    watchdog.process.terminate()
    assert watchdog.process.stderr is not None
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in watchdog.process.stderr}
    expected = sys.stdlib_module_names | {"zaum_api", "zaum_egress", "zaum_watchdog"}
    strangers = {name for name in imported - expected if name.isidentifier() and importlib.util.find_spec(name)}
    assert {name for name in strangers if not name.startswith(("_", "distutils", "sitecustomize"))} == ALLOWED
