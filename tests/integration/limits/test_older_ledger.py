"""An upgrade that replaces watchdogs before their ledger, or the other way round: limits hold, breaches are told."""

import sys
from pathlib import Path

from tests.integration.limits import conftest
from tests.integration.limits.conftest import Pods, opened, pour
from tests.integration.watchdog import rig
from tests.support import ledger, olderledger
from tests.support.authority import Authority
from zaum_api import contract, documents, incidents
from zaum_api.documents import Containment, Kind, Meter, Window

OLDER = (sys.executable, olderledger.__file__)
DENIED = documents.Runaway(None, None, documents.DeniedDetector(above=2, per_seconds=60))
MOST = 300_000
LIMITS = documents.Limits((Meter("policy", Kind.BYTES_OUT, Window.HOUR, MOST), conftest.IN), 1, 1)
INCIDENT = f"agents/{incidents.name('agents', 'researcher', 'uid-0')}"


def test_i07_a_watchdog_lives_on_with_an_older_ledger_and_is_understood_by_the_one_after_it(
    pods: Pods, api: ledger.FakeApi, authority: Authority, gateway: conftest.Gateway, tmp_path: Path
) -> None:
    books = tmp_path / "books"
    books.mkdir()
    with ledger.running(books, api, authority, wrapper=OLDER) as older:
        gateway.ledger = older.port
        watchdog = pods.start(runaway=DENIED, containment=Containment(), limits=LIMITS)
        said = watchdog.record("ledgerOlder")["problem"]
        assert "'v2'" in said, said
        watchdog.record("ledger")
        with opened(watchdog, authority) as tunnel:
            first = pour(tunnel, MOST // 2)
        assert first >= MOST // 2, "the older one lends"
    with ledger.running(books, api, authority) as newer:
        gateway.ledger = newer.port
        with opened(watchdog, authority) as tunnel:
            rest = pour(tunnel, 2 * MOST)
        assert first + rest <= MOST, "what was lent is spent once"
        assert INCIDENT not in api.incidents
        for _ in range(3):
            watchdog.connect("evil.example.com:443")
        rig.until(lambda: INCIDENT in api.incidents, "nobody made an Incident of the breach")


def test_a_breach_beside_an_older_ledger_is_in_the_last_word(
    pods: Pods, api: ledger.FakeApi, authority: Authority, gateway: conftest.Gateway, tmp_path: Path
) -> None:
    books = tmp_path / "books"
    books.mkdir()
    with ledger.running(books, api, authority, wrapper=OLDER) as older:
        gateway.ledger = older.port
        watchdog = pods.start(runaway=DENIED, containment=Containment())
        left = tmp_path / "uid-0" / "termination-log"
        left.touch()  # As the kubelet does.
        watchdog.record("ledger")
        for _ in range(3):
            watchdog.connect("evil.example.com:443")
        watchdog.record("breach")
        assert watchdog.connect(conftest.TARGET).rule == contract.Rule.LATCHED.value
    word = documents.LastWord.read(left.read_text())
    assert word is not None
    assert word.word == contract.Breach.RUNAWAY_DENIED.value


def test_an_older_watchdog_is_understood_by_the_ledger(
    pods: Pods, service: ledger.Process, authority: Authority
) -> None:
    assert service.port
    watchdog = pods.start(limits=LIMITS)  # It says nothing of containment: version v1.
    watchdog.record("ledger")
    with opened(watchdog, authority) as tunnel:
        assert 0 < pour(tunnel, 2 * MOST) <= MOST
