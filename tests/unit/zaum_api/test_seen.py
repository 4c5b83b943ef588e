"""What an authorizer's answer proves, and what it does not."""

import pytest

from zaum_api import documents, reading
from zaum_api.documents import Life, Seen, SeenAsked, SeenIncident, SeenPod

WHERE = ("agents", "researcher-1")
INCIDENT = SeenIncident("agents", "researcher-1", "i-1", "7", in_force=True)
LIVE, REFUSED = SeenPod("p", Life.LIVE, refused=False), SeenPod("p", Life.LIVE, refused=True)
ENDED, GONE = SeenPod("p", Life.ENDED, refused=False), SeenPod("p", Life.GONE, refused=False)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen(True, 0, (INCIDENT,)), True, id="read and in force"),
        pytest.param(Seen(True, 0), False, id="not read"),
        pytest.param(Seen(False, 0, (INCIDENT,)), False, id="of a replica that has not read everything"),
        pytest.param(Seen(True, 0, (SeenIncident(*WHERE, "i-1", "8", in_force=False),)), False, id="closed"),
        pytest.param(Seen(True, 0, (SeenIncident(*WHERE, "i-0", "7", in_force=True),)), False, id="another"),
        pytest.param(Seen(True, 0, (SeenIncident("b", WHERE[1], "i-1", "7", in_force=True),)), False, id="elsewhere"),
    ],
)  # fmt: skip
def test_i09_an_incident_is_seen_where_it_has_been_read_and_is_in_force(seen: Seen, *, expected: bool) -> None:
    assert seen.sees("agents", "researcher-1", "i-1") is expected


def test_a_part_of_an_answer_answers_a_part_of_the_question() -> None:
    other = SeenIncident("agents", "other-1", "i-2", "7", in_force=True)
    whole = Seen(True, 3, (INCIDENT, other), (LIVE, SeenPod("q", Life.GONE, refused=True)))
    assert whole.part(SeenAsked((WHERE,), ("q",))) == Seen(True, 3, (INCIDENT,), whole.pods[1:])


def test_the_word_of_a_watchdog_is_cut_from_its_second_step_on() -> None:
    rungs = (None, *documents.Rung)
    assert [SeenPod("p", Life.LIVE, refused=False, rung=rung).cut for rung in rungs] == [
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("pods", "listed", "gone_for", "expected"),
    [
        pytest.param((ENDED,), 900, 0, True, id="ended"),
        pytest.param((GONE,), 900, 0, True, id="gone"),
        pytest.param((REFUSED,), 0, 900, False, id="refused and live"),
        pytest.param((), 5, 6.9, True, id="never heard of, and listed since it was gone"),
        pytest.param((), 6, 6.9, False, id="never heard of, and listed in the same second"),
        pytest.param((), 7, 6.9, False, id="never heard of, and listed before"),
    ],
)
def test_i09_an_identity_is_dead_where_that_is_proven(
    pods: tuple[SeenPod, ...], listed: int, gone_for: float, *, expected: bool
) -> None:
    assert Seen(True, listed, (), pods).dead("p", gone_for=gone_for) is expected
    assert not Seen(False, listed, (), pods).dead("p", gone_for=gone_for)


def test_a_question_is_read_as_it_was_asked() -> None:
    for asked in (
        SeenAsked(),
        SeenAsked((("agents", "researcher-1"), ("b", "c.d")), ()),
        SeenAsked((("agents", "researcher-1"),), ("u-1", "u-2")),
        SeenAsked((("agents", "researcher-1"),), ("u-1",), unlike="0f9a", wait=5),
        SeenAsked(wait=1),
    ):
        assert SeenAsked.parse(asked.query()) == asked
    assert SeenAsked.parse("") == SeenAsked()


@pytest.mark.parametrize(
    "query",
    [
        "incidents=a",
        "incidents=a/b/c",
        "incidents=A/b",
        "pods=a/b",
        "pods=,",
        "pods=%20",
        "pods=a&pods=b",
        "more=a",
        "wait=6",
        "wait=10",
        "wait=-1",
        "wait=1,2",
        "unlike=XY",
        f"pods={','.join(str(number) for number in range(documents.ASKED_MAX + 1))}",
        f"pods={'a' * 65}",
    ],
)
def test_an_odd_question_is_refused(query: str) -> None:
    with pytest.raises(reading.DocumentError):
        SeenAsked.parse(query)
