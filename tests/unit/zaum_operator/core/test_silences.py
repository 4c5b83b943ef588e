"""Which silences say anything: few, and none while the ledger itself was away, or while nobody is heard."""

import pytest

from zaum_api import documents
from zaum_operator.core import books, silences
from zaum_operator.core.keys import Key

KEY = Key("agents", "researcher")


def usage(*seconds: int, pods: int = 1, heard: int = 0, policy: str = KEY.name) -> documents.PolicyUsage:
    silent = tuple(documents.Silent(f"u{number}", number, each) for number, each in enumerate(seconds))
    return documents.PolicyUsage(KEY.namespace, policy, pods, heard, (), documents.Counters(), 0, silent)


@pytest.mark.parametrize(
    ("said", "serving", "counts"),
    [
        (usage(60), 3600, ["u0"]),
        (usage(44), 3600, []),
        (usage(60), None, []),
        (usage(60), 74, []),
        (usage(60), 75, ["u0"]),
        (usage(60, 60), 3600, ["u0", "u1"]),
        (usage(60, 60, 60), 3600, []),
        (usage(60, 60, 60, pods=30), 3600, ["u0", "u1", "u2"]),
        (usage(60, 60, 3000), 3600, ["u0", "u1", "u2"]),
    ],
)
def test_a_silence_counts_when_the_ledger_was_there_and_few_are_silent(
    said: documents.PolicyUsage, serving: int | None, counts: list[str]
) -> None:
    assert sorted(silences.found([said], serving=serving)) == counts


@pytest.mark.parametrize(
    ("others", "counts"),
    [
        pytest.param([], False, id="it is alone"),
        pytest.param([usage(policy="other", heard=3)], True, id="another one speaks"),
        pytest.param([usage(policy="other", heard=29)], True, id="another one has just missed a word"),
        pytest.param([usage(policy="other", heard=30)], False, id="both may have fallen silent at once"),
        pytest.param([usage(policy="other", pods=0)], False, id="of another one there are books, and nobody speaks"),
    ],
)  # fmt: skip
def test_i08_while_nobody_is_heard_silence_says_nothing_of_any_watchdog(
    others: list[documents.PolicyUsage], *, counts: bool
) -> None:
    assert silences.found([usage(45, heard=45), *others], serving=3600) == ({"u0": KEY} if counts else {})


def test_pods_that_have_ended_are_no_outage_and_none_of_them_is_accused() -> None:
    said = [usage(60, 60, 60, 60)]
    assert silences.found(said, serving=3600) == {}
    assert silences.found(said, serving=3600, living=lambda key: {"u1"} if key == KEY else set()) == {"u1": KEY}
    assert silences.found(said, serving=3600, living=lambda _: {"u0", "u1", "u2"}) == {}
    assert silences.found(said, serving=3600, living=lambda _: ()) == {}


def test_a_pod_that_falls_silent_makes_its_policy_due_once_and_again_when_it_is_over() -> None:
    held = books.Held()
    held.take([usage()], seconds=0.0, serving=3600)
    assert held.take([usage(60)], seconds=1.0, serving=3600) == {KEY}
    assert held.take([usage(65)], seconds=6.0, serving=3600) == set()
    assert dict(held.silent) == {"u0": KEY}
    assert held.take([usage()], seconds=11.0, serving=3600) == {KEY}
    assert dict(held.silent) == {}


def test_a_silent_ledger_accuses_nobody() -> None:
    held = books.Held()
    held.take([usage(60)], seconds=0.0, serving=3600)
    assert held.take(None, seconds=7.0) == {KEY}
    assert dict(held.silent) == {}
    assert held.take(None, seconds=12.0) == set()
