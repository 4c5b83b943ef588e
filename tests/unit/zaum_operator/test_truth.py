"""The operator at work on what watchdogs and authorizers say: what it writes, once, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, SITE, World
from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.reports import Batch, Said
from zaum_operator.core.snapshot import Contact
from zaum_operator.reconcile import Reconciler

KEY = Key(NAMESPACE, "researcher")
CONTACT = Contact("identity.tokenMissing", 1_700_000_000)


def running(world: World, **policy: Any) -> Object:
    world.policy(**policy)
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    return pod


def hear(world: World, *, said: dict[str, documents.Report] | None = None, contacts: tuple[str, ...] = ()) -> set[Key]:
    """Let the poll find this now, and let the operator act on it."""
    at = int(world.clock.at.timestamp())
    batch = Batch(
        {uid: Said(KEY, at, report) for uid, report in (said or {}).items()},
        dict.fromkeys(contacts, (KEY, CONTACT)),
    )
    due = world.workers.reconciler.held.take([batch], now=world.clock.now(), seconds=world.clock.seconds())
    world.workers.notice(tuple(due))
    world.settle()
    return due


def report(**fields: Any) -> documents.Report:
    quiet: dict[str, Any] = {"tested": 3, "escapes": (), "requests": 0, "denied": 0, "would_deny": 0}
    return documents.Report(**{"config": "", "problem": "", **quiet, **fields})


def events(world: World, reason: str) -> list[Object]:
    return [event for event in world.api.all(kinds.EVENT) if event["reason"] == reason]


def test_the_first_word_of_a_watchdog_is_written_once_and_the_same_word_never_again(world: World) -> None:
    uid = running(world)["metadata"]["uid"]
    assert hear(world, said={uid: report()}) == {KEY}
    assert world.condition("EnforcementProven")[:2] == ("True", "CageHeld")
    before = len(world.api.writes)
    for count in range(20):
        world.pass_time(seconds=15)
        assert hear(world, said={uid: report()}) == set(), count
    assert world.look() == []
    assert len(world.api.writes) == before


def test_a_word_that_fails_to_come_for_three_periods_is_said_to_be_unknown(world: World) -> None:
    uid = running(world)["metadata"]["uid"]
    hear(world, said={uid: report()})
    world.pass_time(seconds=40)
    assert hear(world) == set()
    assert world.condition("EnforcementProven")[:2] == ("True", "CageHeld"), "no flapping"
    world.pass_time(seconds=10)
    assert hear(world) == {KEY}
    assert world.condition("EnforcementProven")[:2] == ("Unknown", "NoReport")


def test_counts_that_grow_all_the_time_are_written_every_fifteen_seconds_at_most(world: World) -> None:
    uid = running(world)["metadata"]["uid"]
    hear(world, said={uid: report(requests=1)})
    before = len(world.api.writes)
    for second in range(1, 61):
        world.pass_time(seconds=1)
        hear(world, said={uid: report(requests=1 + second * 1000)})
    assert 3 <= len(world.api.writes) - before <= 4


def test_i09_contact_ends_the_pod_with_one_event_through_polls_and_restarts(world: World) -> None:
    uid = running(world)["metadata"]["uid"]
    assert hear(world, contacts=(uid,)) == {KEY}
    assert hear(world, contacts=(uid,)) == set()
    (pod,) = world.api.all(kinds.POD)
    assert pod["metadata"]["labels"][contract.LABEL_QUARANTINED] == "true"
    assert len(events(world, "GatewayContact")) == 1
    assert world.condition()[:2] == ("False", "Runaway")
    before = len(world.api.writes)
    old = world.workers.reconciler
    world.workers.reconciler = Reconciler(old.store, old.site, old.gateway, old.clock)
    hear(world, contacts=(uid,))
    assert world.look() == []
    assert len(world.api.writes) == before
    assert len(events(world, "GatewayContact")) == 1


def test_i09_an_event_that_cannot_be_written_does_not_save_the_pod(world: World) -> None:
    uid = running(world)["metadata"]["uid"]

    def refuse(verb: str, plural: str, name: str) -> errors.RequestError | None:
        full = plural == "events" and "gatewaycontact" in name
        return errors.QuotaError("create events", 403, "exceeded quota") if full else None

    world.api.refuse = refuse
    hear(world, contacts=(uid,))
    (pod,) = world.api.all(kinds.POD)
    assert pod["metadata"]["annotations"][contract.ANNOTATION_BREACH] == "GatewayContact"
    assert events(world, "GatewayContact") == []
    world.api.refuse = lambda verb, plural, name: None
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], {"metadata": {"annotations": {"x": "y"}}})
    world.settle()
    assert len(events(world, "GatewayContact")) == 1, "it is told as long as the pod is there"


def test_i09_a_pod_that_the_api_server_would_not_let_us_cut_off_is_tried_again(world: World) -> None:
    uid = running(world)["metadata"]["uid"]
    refused = [errors.UnavailableError("patch pods", 503, "later")] * 2

    def refuse(verb: str, plural: str, name: str) -> errors.RequestError | None:
        return refused.pop() if (verb, plural) == ("merge", "pods") and refused else None

    world.api.refuse = refuse
    hear(world, contacts=(uid,))
    world.pass_time(seconds=2)
    world.pass_time(seconds=2)
    (pod,) = world.api.all(kinds.POD)
    assert pod["spec"]["activeDeadlineSeconds"] == 1


@pytest.fixture
def metered(tmp_path: Path) -> World:
    """A world with a ledger."""
    return World(tmp_path / "ledger-ca.crt", site=replace(SITE, ledger=True))


PRICED = specs.provider(models=["small-1"]) | {"limits": {"cost": {"perDay": "10.00"}}}


def spend(world: World, cost: int | None, limit: int = 10_000_000) -> set[Key]:
    """Let the poll of the ledger find this now, None for a ledger that is silent, and let the operator act on it."""
    spent = world.workers.reconciler.spent
    meters = () if cost is None else (documents.Used("policy:cost/day", cost, limit, 9),)
    kept = documents.PolicyUsage(NAMESPACE, KEY.name, 1, 0, meters, documents.Counters())
    word = spent.word
    due = spent.take(None if cost is None else [kept], seconds=world.clock.seconds())
    if spent.word is not word:
        world.workers.queue_everything()
    world.workers.notice(tuple(due))
    world.settle()
    return due


def test_what_the_ledger_says_is_written_in_steps_of_a_tenth_fifteen_seconds_apart(metered: World) -> None:
    world = metered
    running(world, spec=PRICED)
    assert world.condition("WithinLimits")[:2] == ("Unknown", "NoUsage")
    spend(world, 0)
    assert world.condition("WithinLimits")[:2] == ("True", "WithinLimits")
    before = len(world.api.writes)
    for second in range(1, 101):
        world.pass_time(seconds=1)
        spend(world, second * 50_000)
    assert 5 <= len(world.api.writes) - before <= 6, "half of the limit, in a hundred seconds"


def test_a_spent_limit_is_said_by_condition_status_and_one_event(metered: World) -> None:
    world = metered
    running(world, spec=PRICED)
    spend(world, 7_900_000)
    world.pass_time(seconds=20)
    spend(world, 8_000_000)
    assert [event["reason"] for event in world.api.all(kinds.EVENT) if event["action"] == "WithinLimits"] == [
        "LimitNear"
    ]
    for used in (10_000_000, 10_000_001, 12_000_000):
        world.pass_time(seconds=20)
        spend(world, used)
    assert world.condition("WithinLimits")[:2] == ("False", "CostExceeded")
    assert len(events(world, "LimitSpent")) == 1
    (policy,) = world.api.all(kinds.POLICY)
    assert policy["status"]["usage"]["cost"] == "12.00"


def test_a_silent_ledger_is_said_to_be_unknown_after_a_while_and_what_was_spent_stays(metered: World) -> None:
    world = metered
    running(world, spec=PRICED)
    spend(world, 1_000_000)
    world.pass_time(seconds=40)
    spend(world, None)
    assert world.condition("WithinLimits")[:2] == ("True", "WithinLimits"), "no flapping"
    world.pass_time(seconds=10)
    spend(world, None)
    assert world.condition("WithinLimits")[:2] == ("Unknown", "NoUsage")
    (policy,) = world.api.all(kinds.POLICY)
    assert policy["status"]["usage"]["cost"] == "1.00"
