"""The Secret of session keys: filled once, rotated by the day, and never read."""

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import prometheus_client
import pytest

from tests.support.apiserver import ApiServer
from tests.support.volume import Volume
from tests.support.world import HandClock
from zaum_api import contract
from zaum_gateway.core import sessions
from zaum_operator import errors
from zaum_operator.cluster.certificates.session_keys import TELL_SECONDS, Gauges, SessionKeys
from zaum_operator.core import kinds
from zaum_operator.core.certificates import session_keys
from zaum_operator.core.kinds import Object

NAMESPACE = "zaum-system"
NAME = contract.SESSION_SECRET


@dataclass
class Rig:
    """The Secret as the chart names it, and replicas with a volume each; the test plays the kubelet."""

    directory: Path
    api: ApiServer = field(default_factory=ApiServer)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.api.put(kinds.SECRET, {"metadata": {"name": NAME, "namespace": NAMESPACE}, "type": "Opaque"})
        self.volumes = {name: Volume(self.directory / name) for name in ("one", "other")}
        self.registry = prometheus_client.CollectorRegistry()
        gauges = Gauges(self.registry)
        self.one, self.other = (
            SessionKeys(self.api, self.clock, NAMESPACE, volume.root, gauges) for volume in self.volumes.values()
        )

    def turn(self, replica: SessionKeys) -> bool:
        return asyncio.run(replica.turn())

    def data(self) -> dict[str, bytes]:
        found = self.api.objects["secrets", NAMESPACE, NAME].get("data") or {}
        return {key: base64.b64decode(value) for key, value in found.items()}

    def pass_time(self, seconds: float, *, sync: bool = True) -> None:
        self.clock.at += timedelta(seconds=seconds)
        shown = {f"{NAME}/{key}": value for key, value in self.data().items() if key in session_keys.SHOWN}
        for volume in self.volumes.values() if sync else ():
            volume.write(shown)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def masters(rig: Rig) -> tuple[sessions.Master, sessions.Master]:
    """What the authorizer reads of it."""
    current, previous = (sessions.Master.read(rig.data()[name].decode()) for name in ("current", "previous"))
    assert current is not None
    assert previous is not None
    return current, previous


def test_an_empty_secret_is_filled_with_two_different_keys_that_the_authorizer_reads(rig: Rig) -> None:
    assert rig.turn(rig.one)
    current, previous = masters(rig)
    assert current.key != previous.key
    assert current.id != previous.id
    assert rig.data().keys() == {"revision", "made", "current", "previous"}


def test_sessions_can_be_made_at_once_and_with_a_key_that_everybody_has(rig: Rig) -> None:
    rig.turn(rig.one)
    known = sessions.Masters.of(*masters(rig))
    assert known.issuing(rig.clock.now().timestamp()) is not None


def test_a_steady_state_writes_nothing(rig: Rig) -> None:
    rig.turn(rig.one)
    before = rig.data()
    assert not rig.turn(rig.one), "its volume is behind, and it knows what it wrote"
    rig.pass_time(60)
    for replica in (rig.one, rig.other):
        assert not rig.turn(replica)
    rig.pass_time(session_keys.LIFE_SECONDS - 61)
    assert not rig.turn(rig.other)
    assert rig.data() == before


def test_after_a_day_there_is_a_new_key_and_the_last_one_stays(rig: Rig) -> None:
    rig.turn(rig.one)
    first, _ = masters(rig)
    rig.pass_time(session_keys.LIFE_SECONDS)
    assert rig.turn(rig.other)
    second, kept = masters(rig)
    assert kept == first
    assert second.key != first.key
    assert second.id != first.id
    rig.pass_time(session_keys.LIFE_SECONDS)
    assert rig.turn(rig.one)
    assert masters(rig)[1] == second


def test_a_leader_with_an_old_view_writes_nothing(rig: Rig) -> None:
    rig.turn(rig.one)
    before = rig.data()
    assert not rig.turn(rig.other), "its volume is empty still: every write is refused"
    assert rig.data() == before
    rig.pass_time(60)
    rig.pass_time(session_keys.LIFE_SECONDS, sync=False)
    assert rig.turn(rig.one)
    before = rig.data()
    assert not rig.turn(rig.other)
    assert rig.data() == before


def test_a_secret_that_was_emptied_is_filled_again(rig: Rig) -> None:
    rig.turn(rig.one)
    rig.pass_time(60)
    rig.api.objects["secrets", NAMESPACE, NAME].pop("data")
    rig.pass_time(1)
    assert not session_keys.due(session_keys.Seen(1, 0), now=0)
    for volume in rig.volumes.values():
        volume.write({f"{NAME}/other": b""})
    rig.pass_time(300, sync=False)
    assert rig.turn(rig.one)
    assert masters(rig)


def test_a_key_from_the_future_is_replaced() -> None:
    assert session_keys.due(session_keys.Seen(3, 1_000), now=999)


def test_an_outage_is_waited_out(rig: Rig) -> None:
    rig.api.refuse = lambda verb, plural, name: (
        errors.UnavailableError("patch", 0, "timed out") if plural == "secrets" else None
    )
    assert not rig.turn(rig.one)
    rig.api.refuse = lambda verb, plural, name: None
    assert rig.turn(rig.one)


def shown(rig: Rig, name: str) -> float | None:
    return rig.registry.get_sample_value(f"zaum_operator_session_keys_{name}")


def events(rig: Rig) -> list[Object]:
    return [body for (plural, _, _), body in rig.api.objects.items() if plural == "events"]


def test_keys_that_cannot_be_written_show_in_the_metrics_at_once_and_as_an_event_when_it_stays(rig: Rig) -> None:
    rig.api.refuse = lambda verb, plural, name: (
        errors.ForbiddenError("patch", 403, "no right to patch secrets") if plural == "secrets" else None
    )
    rig.turn(rig.one)
    assert (shown(rig, "unwritten"), shown(rig, "made_timestamp_seconds"), events(rig)) == (1, 0, [])
    for _ in range(3):
        rig.pass_time(TELL_SECONDS)
        rig.turn(rig.one)
    (event,) = events(rig)
    assert (event["type"], event["reason"]) == ("Warning", "SessionKeysNotWritten")
    assert event["involvedObject"]["name"] == NAME
    assert "no right to patch secrets" in event["message"]
    rig.pass_time(3600)
    rig.turn(rig.one)
    assert len(events(rig)) == 2, "an event is forgotten after an hour, so it is said again"
    rig.api.refuse = lambda verb, plural, name: None
    assert rig.turn(rig.one)
    assert (shown(rig, "unwritten"), shown(rig, "made_timestamp_seconds")) == (0, rig.clock.now().timestamp())


def test_i15_no_key_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    rig.turn(rig.one)
    assert "wrote revision 1" in caplog.text
    for master in masters(rig):
        assert master.key.hex() not in caplog.text
