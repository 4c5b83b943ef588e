"""What watchdogs say of a cut, as several have heard it: the newest word counts."""

import itertools

import pytest

from tests.support import scenes
from tests.support.world import NAMESPACE, START
from zaum_api import documents
from zaum_api.documents import Life, Rung
from zaum_operator.core.containment import rule, view
from zaum_operator.core.containment.scene import Replica, Sight
from zaum_operator.core.keys import Key
from zaum_operator.core.snapshot import Reported, Snapshot

KEY = Key(NAMESPACE, "researcher")
Word = tuple[Rung | None, int]
NOBODYS: Word = (None, 0)


def contained(word: Word) -> documents.Contained:
    rung, since = word
    assert rung is not None
    return documents.Contained(rung, "" if rung is Rung.FREE else "RunawayCPU", 0, since)


def heard(*words: Word) -> Sight:
    """Give replicas that have heard these words of one pod."""
    pods = (documents.SeenPod("u1", Life.LIVE, refused=True, rung=rung, since=since) for rung, since in words)
    seen = (documents.Seen(ready=True, listed=1, pods=(one,)) for one in pods)
    return Sight((*(Replica(f"a{at}", one) for at, one in enumerate(seen)), Replica("silent")))


@pytest.mark.parametrize(
    ("words", "since"),
    [
        pytest.param([NOBODYS], None, id="it has said nothing"),
        pytest.param([(Rung.CUT, 7)], 7, id="cut"),
        pytest.param([(Rung.CUT, 7), NOBODYS], 7, id="cut, and one has heard nothing"),
        pytest.param([(Rung.CUT, 7), (Rung.FREE, 3)], 7, id="cut, and one has heard nothing since it was free"),
        pytest.param([(Rung.CUT, 7), (Rung.THROTTLED, 3)], 7, id="cut, and throttled before"),
        pytest.param([(Rung.CUT, 7), (Rung.FREE, 9)], None, id="the cut was taken back"),
        pytest.param([(Rung.CUT, 7), (Rung.THROTTLED, 9)], None, id="taken back, and throttled since"),
        pytest.param([(Rung.CUT, 7), (Rung.FREE, 9), (Rung.CUT, 12)], 12, id="and cut again"),
        pytest.param([(Rung.CUT, 7), (Rung.FREE, 7)], None, id="nobody knows which was last"),
        pytest.param([(Rung.KILLED, 7), (Rung.CUT, 5)], 7, id="killed"),
        pytest.param([(Rung.KILLED, 7), (Rung.FREE, 9)], 7, id="killed, by a clock that was set back"),
    ],
)  # fmt: skip
def test_i09_the_newest_word_on_a_cut_counts_whoever_has_heard_it(words: list[Word], since: int | None) -> None:
    expected = {} if since is None else {"u1": since}
    for order in itertools.permutations(words):
        assert heard(*order).cut() == expected
        first, *others = order
        if first[0] is not None:
            assert heard(*others).cut({"u1": contained(first)}) == expected, "polled before"


@pytest.mark.parametrize(
    ("polled", "cut"), [((Rung.CUT, 7), {}), ((Rung.CUT, 10), {"u1": 10}), ((Rung.KILLED, 7), {"u1": 7})]
)
def test_i09_a_poll_of_a_while_ago_is_one_word_among_others(polled: Word, cut: dict[str, int]) -> None:
    report = documents.Report("", "", 0, (), 0, 0, 0, contained=contained(polled))
    incidents, reports = (scenes.body(),), {"u1": Reported(report)}
    snapshot = Snapshot(
        KEY, None, (), None, None, None, None, (scenes.pod(),), None, incidents=incidents, reports=reports
    )
    (scene,) = view.scenes(view.of(snapshot, rule.Rule(), ledger=True, now=START), heard((Rung.FREE, 9)))
    assert scene.cut == cut
