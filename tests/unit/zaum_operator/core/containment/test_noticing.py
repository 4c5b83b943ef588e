"""What two looks of one process say about somebody else's hand in a policy's objects, and whom that is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zaum_operator.core import pods
from zaum_operator.core.containment import noticing
from zaum_operator.core.containment.incident import Ref
from zaum_operator.core.containment.noticing import Accused, Child, Noticing, State
from zaum_operator.core.containment.rule import Rule
from zaum_operator.core.foreign import Foreign
from zaum_operator.core.keys import Key
from zaum_operator.core.pods import Pod

KEY = Key("agents", "researcher")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WIDE = Foreign("wide", ("egress to anyone",))


def child(state: State, digest: str = "a", name: str = "zaum-researcher") -> Child:
    return Child("NetworkPolicy", name, digest, state)


def pod(name: str, *, phase: str = "Running", age: float = 0, **metadata: Any) -> Pod:
    created = (NOW - timedelta(seconds=age)).isoformat()
    body = {"name": name, "uid": f"uid-{name}", "creationTimestamp": created, **metadata}
    return pods.read({"metadata": body, "status": {"phase": phase}})


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        (State.STANDS, child(State.CHANGED), True),
        (State.STANDS, child(State.MISSING), True),
        (State.STANDS, child(State.STANDS), False),
        (State.STANDS, child(State.CHANGED, "b"), False),
        (State.CHANGED, child(State.CHANGED), False),
        (State.MISSING, child(State.MISSING), False),
        (State.STANDS, child(State.MISSING, name="zaum-other"), False),
    ],
)
def test_only_what_stood_by_the_same_plan_was_edited(before: State, after: Child, *, seen: bool) -> None:
    memory = Noticing()
    memory.look(KEY, "uid", [child(before)])
    assert memory.edited(KEY, "uid", [after]) == ((after,) if seen else ())
    assert memory.edited(KEY, "another policy of the name", [after]) == ()
    assert memory.edited(Key("agents", "other"), "uid", [after]) == ()


def test_an_edit_is_noticed_once_until_the_object_has_stood_again() -> None:
    memory = Noticing()
    for _ in range(2):
        memory.look(KEY, "uid", [child(State.STANDS)])
        assert memory.edited(KEY, "uid", [child(State.CHANGED)])
        memory.look(KEY, "uid", [child(State.CHANGED)])
        assert memory.edited(KEY, "uid", [child(State.CHANGED)]) == ()


@pytest.mark.parametrize("forget", [lambda memory: memory.forget(KEY), lambda memory: memory.clear()])
def test_what_is_forgotten_accuses_nobody(forget: Any) -> None:
    memory = Noticing()
    memory.look(KEY, "uid", [child(State.STANDS)])
    memory.accuse(KEY, [Ref("a", "uid-a")], Accused("Tampering", "it was", NOW))
    forget(memory)
    assert memory.edited(KEY, "uid", [child(State.CHANGED)]) == ()
    assert memory.accused(KEY) == {}


def test_the_first_accusation_of_a_pod_stays_until_it_has_its_incident() -> None:
    memory, first = Noticing(), Accused("Tampering", "it was", NOW)
    memory.accuse(KEY, [Ref("a", "uid-a"), Ref("b", "uid-b")], first)
    memory.accuse(KEY, [Ref("a", "uid-a")], Accused("EgressWidened", "later", NOW))
    memory.keep(KEY, ["uid-a"])
    assert memory.accused(KEY) == {"uid-a": first}
    memory.keep(KEY, ())
    assert memory.accused(KEY) == {}


ALIVE = (pod("young", age=1), pod("old", age=9), pod("dead", phase="Failed", age=20))
LEAVING = pod("leaving", age=30, deletionTimestamp="2026-03-01T12:00:00Z")


@pytest.mark.parametrize(
    ("rule", "about"),
    [
        (Rule(tampering="Kill"), ("old", "young")),
        (Rule(tampering="Quarantine"), ("old",)),
        (Rule(), None),
        (Rule(on="Quarantine", crash_loop="Kill", widened="Kill"), None),
    ],
)
def test_whom_an_edit_is_about(rule: Rule, about: tuple[str, ...] | None) -> None:
    found = noticing.about([child(State.CHANGED)], (), (*ALIVE, LEAVING), rule, now=NOW)
    assert (found and tuple(ref.name for ref in found[0])) == about
    if found:
        assert found[1] == Accused("Tampering", "NetworkPolicy zaum-researcher was changed.", NOW)


def test_an_edit_counts_before_a_widened_egress_and_each_has_its_own_answer() -> None:
    both = Rule(tampering="Quarantine", widened="Kill")
    reasons = [
        found and found[1].reason
        for edited, rule in (([child(State.MISSING)], both), ([], both), ([child(State.MISSING)], Rule(widened="Kill")))
        if (found := noticing.about(edited, [WIDE], ALIVE, rule, now=NOW)) is not None
    ]
    assert reasons == ["Tampering", "EgressWidened", "EgressWidened"]


def test_where_nothing_lives_there_is_nothing_to_contain() -> None:
    assert noticing.about([child(State.CHANGED)], [WIDE], (ALIVE[2], LEAVING), Rule(tampering="Kill"), now=NOW) is None


def test_of_many_edits_the_first_are_named() -> None:
    edits = [child(State.MISSING, name=f"zaum-{number}") for number in range(5)]
    found = noticing.about(edits, (), ALIVE, Rule(tampering="Kill"), now=NOW)
    assert found is not None
    assert found[1].summary.endswith("NetworkPolicy zaum-2 was deleted and 2 more.")


def test_each_reason_has_its_answer() -> None:
    rule = Rule(on="Cut", tampering="Quarantine", crash_loop="Kill", budget="Throttle")
    reasons = ("Tampering", "CrashLoop", "EgressWidened", "BudgetSpent", "RunawayCPU")
    assert {reason: rule.answer(reason) for reason in reasons} == {
        "Tampering": "Quarantine",
        "CrashLoop": "Kill",
        "EgressWidened": "Kill",
        "BudgetSpent": "Throttle",
        "RunawayCPU": "Cut",
    }
