"""The ledger's own process over TLS, with both databases: what it answers, and what is left after it dies."""

import concurrent.futures
import dataclasses
import http.client
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents

Books = dict[str, str]


def lease(found: documents.Lease | documents.Refused) -> documents.Lease:
    assert isinstance(found, documents.Lease), found
    return found


def test_a_watchdog_borrows_spends_and_gives_back(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        pod = ledger.Watchdog(service, api.token())
        first = lease(pod.want(600))
        assert first.amount >= 600
        refused = pod.want(1_000)
        assert isinstance(refused, documents.Refused)
        assert refused.remaining <= 400
        pod.sync(spent=(documents.Spent(first.id, 100),), returned=(first.id,))
        assert lease(pod.want(900)).amount == 900, "what was not spent is there again"
        pod.close()


def test_i07_what_was_lent_and_spent_is_known_after_a_kill(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        pod = ledger.Watchdog(service, api.token())
        held = lease(pod.want(700))
        asked = pod.said(wants=(documents.Want(ledger.TOKENS, 50),))
        answered = pod.post(asked)
        service.kill()
        pod.close()
    with ledger.running(tmp_path, api, authority, books) as service:
        pod.ledger = service
        again = pod.post(asked)
        assert isinstance(again, documents.Synced)
        assert isinstance(answered, documents.Synced)
        assert again.leases == answered.leases, "a repeated request gets the same answer from the next process"
        other = ledger.Watchdog(service, api.token(ordinal=1, uid="uid-1"), ordinal=1)
        refused = other.want(1_000 - held.amount)
        assert isinstance(refused, documents.Refused), "a restart gives no allowance"
        other.close()
        pod.close()


DIES = """
import os, signal, sys
from zaum_ledger import __main__
from zaum_ledger.shell.stores import grouped

tell, commits = grouped._tell, 0

def told(group):
    global commits
    commits += 1
    if commits == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    tell(group)

grouped._tell = told
sys.exit(__main__.main([]))
"""
"""A ledger that is killed when its second change is durable, and before anybody is told."""


def test_i07_what_was_stored_and_not_answered_is_answered_once_by_the_next_process(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books, wrapper=(sys.executable, "-c", DIES)) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        asked = pod.said(wants=(documents.Want(ledger.TOKENS, 600),))
        with pytest.raises((OSError, http.client.HTTPException)):
            pod.post(asked)
        assert service.process.wait(10) == -signal.SIGKILL
        pod.close()
    with ledger.running(tmp_path, api, authority, books) as service:
        pod.ledger = service
        first, second = pod.post(asked), pod.post(asked)
        assert isinstance(first, documents.Synced)
        assert isinstance(second, documents.Synced)
        assert [lease.amount for lease in first.leases] == [600]
        # How long it is to midnight is said anew.
        assert dataclasses.replace(second, usage=first.usage) == first
        assert [one.used for one in second.usage] == [one.used for one in first.usage] == [600]
        other = ledger.Watchdog(service, api.token(ordinal=1, uid="uid-1"), ordinal=1)
        refused = other.want(401)
        assert isinstance(refused, documents.Refused)
        assert refused.remaining == 400, "it was lent once"
        other.close()
        pod.close()


def test_i07_many_at_once_against_the_last_units(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        pods = [
            ledger.Watchdog(service, api.token(ordinal=number, uid=f"uid-{number}"), ordinal=number, replicas=20)
            for number in range(20)
        ]
        with concurrent.futures.ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda pod: pod.want(70), pods))
        lent = [one for one in found if isinstance(one, documents.Lease)]
        assert len(lent) == 14, "seventy each from a thousand"
        assert sum(one.amount for one in lent) <= 1_000
        for pod in pods:
            pod.close()


def test_i12_a_token_speaks_for_its_own_pod_alone(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with ledger.running(tmp_path, api, authority) as service:
        mine = ledger.Watchdog(service, api.token())
        mine.sync()

        def refused(token: str, **more: Any) -> str:
            pod = ledger.Watchdog(service, token)
            found = pod.post(pod.said(**more))
            pod.close()
            return found.error if isinstance(found, documents.LedgerError) else "answered"

        assert refused(api.token(uid="uid-9"), session=mine.session) == "session", "another pod's session"
        assert refused(api.token(policy="agents/other"), session=mine.session) == "session", "another policy's"
        assert refused(api.token(), ordinal=1) == "pod", "another ordinal than the token's pod has"
        assert refused(api.token(aud=[contract.AUDIENCE_EGRESS])) == "token"
        assert refused(api.token(exp=int(time.time()) - 60)) == "token"
        assert refused(api.token(iss="https://other.test")) == "token"
        assert refused(api.token(key=other)) == "token"
        assert refused("nonsense") == "token"
        assert refused(api.token(uid="uid-8")) == "answered", "and a good one is heard"
        bound: dict[str, Any] = {"namespace": "agents", "serviceaccount": {"name": "zaum-researcher"}}
        claims: dict[str, Any] = {"kubernetes.io": bound}
        assert refused(api.token(**claims)) == "pod", "bound to no pod"
        claims["kubernetes.io"] = bound | {"pod": {"name": "zaum-other-0-0a1b2", "uid": "uid-7"}}
        assert refused(api.token(**claims)) == "pod", "to another policy's pod"
        mine.close()


def test_a_pod_that_is_gone_is_heard_no_more(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    with ledger.running(tmp_path, api, authority, ZAUM_REVIEW_SECONDS="1") as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        api.ended.add("uid-0")
        deadline = time.monotonic() + 20
        while isinstance(found := pod.post(pod.said()), documents.Synced):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert found.error == "token"
        fresh = ledger.Watchdog(service, api.token())
        refused = fresh.post(fresh.said())
        assert isinstance(refused, documents.LedgerError), "nor with a token that is newer"
        fresh.close()
        pod.close()


def test_without_the_api_server_sessions_go_on_and_none_is_begun(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority
) -> None:
    with ledger.running(tmp_path, api, authority, ZAUM_REVIEW_SECONDS="1") as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        api.down = True
        asked, deadline = api.reviews, time.monotonic() + 20
        while api.reviews == asked:
            assert pod.sync().session == pod.session
            assert time.monotonic() < deadline, "the token is reviewed again"
            time.sleep(0.2)
        assert pod.sync().session == pod.session
        late = ledger.Watchdog(service, api.token(uid="uid-1"))
        refused = late.post(late.said())
        assert isinstance(refused, documents.LedgerError)
        assert refused.error == "storage"
        api.down = False
        late.sequence = 0
        late.sync()
        late.close()
        pod.close()


def test_the_usage_is_for_its_readers(tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        for policy in ("a/one", "b/two"):
            pod = ledger.Watchdog(service, api.token(policy=policy, uid=policy))
            pod.want(100)
            pod.sync(counters=documents.Counters(requests=7, cost=12))
            pod.close()
        reader = ledger.Watchdog(service, api.reader())
        status, raw = reader.ask("GET", contract.PATH_LEDGER_USAGE)
        assert status == 200
        page = documents.UsagePage.parse(raw)
        assert [(one.namespace, one.policy, one.pods) for one in page.policies] == [("a", "one", 1), ("b", "two", 1)]
        assert page.policies[0].counters.requests == 7
        used = {meter.meter: (meter.used, meter.limit) for meter in page.policies[0].meters}
        assert used[ledger.TOKENS] == (100, 1_000)
        reader.token = api.reader("system:serviceaccount:agents:default")
        assert reader.ask("GET", contract.PATH_LEDGER_USAGE)[0] == 403
        reader.token = api.token()
        assert reader.ask("GET", contract.PATH_LEDGER_USAGE)[0] == 401, "a watchdog is no reader"
        reader.close()
        status, text = service.page("/metrics")
        assert status == 200
        assert 'zaum_policy_requests_total{namespace="a",policy="one"} 7.0' in text
        of = 'kind="tokens",namespace="b",policy="two",scope="policy",window="day"'
        assert f"zaum_policy_limit_used{{{of}}} 100.0" in text
        assert "zaum_ledger_leases_total 2.0" in text


def test_a_poll_for_orders_waits_and_says_none(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        path = f"{contract.PATH_LEDGER_ORDERS}?session={pod.session}&after=0"
        poll = ledger.Watchdog(service, pod.token)
        heard: list[tuple[int, bytes]] = []
        waiting = threading.Thread(target=lambda: heard.append(poll.ask("GET", path)))
        waiting.start()
        assert pod.sync().session == pod.session, "a poll holds up nobody"
        waiting.join(0.5)
        assert waiting.is_alive(), "and waits"
        assert pod.ask("GET", f"{contract.PATH_LEDGER_ORDERS}?session=x&after=-1")[0] == 400
        pod.close()
    waiting.join(30)
    assert heard == [(200, documents.Orders().dump())], "a ledger that stops answers what waits"
    poll.close()


def test_odd_requests_are_refused_and_the_next_one_is_heard(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority
) -> None:
    odd: list[tuple[bytes, dict[str, str], int]] = [
        (b"{", {}, 400),
        (b"x" * (documents.SYNC_MAX_BYTES + 1), {}, 413),
        (b"{}", {"X-Long": "x" * 20_000}, 413),
        (b"{}", {"authorization": "Bearer twice"}, 400),
    ]
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        for body, headers, status in odd:
            found, raw = pod.ask("POST", contract.PATH_LEDGER_SYNC, body, **headers)
            assert found == status, raw
            assert documents.LedgerError.parse(raw).message
            pod.sync()
        assert pod.ask("GET", "/")[0] == 404
        pod.close()


def test_a_sync_of_one_pod_at_a_time_and_not_so_many(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        found = [pod.post(pod.said()) for _ in range(80)]
        errors = [one.error for one in found if isinstance(one, documents.LedgerError)]
        assert errors
        assert set(errors) == {"rate"}
        pod.close()


def test_backup_and_restore_charge_what_was_held(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(ledger.ROOT / part) for part in ("ledger", "crds"))
        environment = os.environ | {"PYTHONPATH": path, "ZAUM_SQLITE_FILE": str(tmp_path / "ledger.db")} | variables
        command = [sys.executable, "-m", "zaum_ledger", *words]
        return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)

    file = str(tmp_path / "backup")
    with ledger.running(tmp_path, api, authority, books) as service:
        pod = ledger.Watchdog(service, api.token())
        held = lease(pod.want(600))
        done = run("backup", file, **books)
        assert done.returncode == 0, done.stderr
        assert "1 books" in done.stdout
        pod.close()
    assert run("restore", file, **books).returncode == 1, "there are books already"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run("restore", file, ZAUM_SQLITE_FILE=str(elsewhere / "ledger.db"))
    assert done.returncode == 0, done.stderr
    with ledger.running(elsewhere, api, authority) as service:
        pod.ledger = service
        found = pod.post(pod.said())
        assert isinstance(found, documents.LedgerError)
        assert found.error == "session"
        pod.session, pod.sequence = "", 0
        refused = pod.want(1_000 - held.amount + 1)
        assert isinstance(refused, documents.Refused)
        assert refused.remaining == 1_000 - held.amount, "what was held is spent"
        assert lease(pod.want(1_000 - held.amount)).amount == 1_000 - held.amount
        pod.close()
    raw = Path(file).read_bytes()
    Path(file).write_bytes(raw.replace(b'"at":1', b'"at":2'))
    done = run("restore", "--replace", file, **books)
    assert (done.returncode, "digest" in done.stderr) == (1, True)
    assert run("migrate", **books).stdout == "nothing to do: schema 1\n"


def test_a_new_certificate_serves_new_connections(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        certificate, key = authority.issue(contract.LEDGER_TLS_NAME, "next")
        for name, file in (("tls.key", key), ("tls.crt", certificate)):
            (tmp_path / "tls" / name).write_bytes(file.read_bytes())
        other = service.connect()
        assert isinstance(other.sock, ssl.SSLSocket)
        shown = other.sock.getpeercert(binary_form=True)
        other.close()
        assert shown == ssl.PEM_cert_to_DER_cert(certificate.read_text())
        pod.sync()
        pod.close()
