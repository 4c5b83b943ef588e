"""A few bytes of a body are changed, in whatever pieces it lies there."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zaum_watchdog.metering import reading
from zaum_watchdog.core.metering.splicing import Edit, growth, splice

BODY = b"0123456789" * 3


@st.composite
def edits(draw: st.DrawFn) -> list[Edit]:
    bounds = sorted(draw(st.lists(st.integers(0, len(BODY) - 1), max_size=6)))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    found = [Edit(start, end, draw(st.binary(max_size=4))) for start, end in pairs]
    return [edit for index, edit in enumerate(found) if not index or edit.start >= found[index - 1].end]


@given(edits(), st.lists(st.integers(0, len(BODY)), max_size=5))
def test_it_is_what_a_copy_would_be(changes: list[Edit], places: list[int]) -> None:
    expected, at = b"", 0
    for edit in changes:
        expected += BODY[at : edit.start] + edit.text
        at = edit.end
    expected += BODY[at:]
    assert b"".join(splice(reading.cut(BODY, *places), changes)) == expected
    assert len(expected) == len(BODY) + growth(changes)


def test_what_does_not_change_is_not_copied() -> None:
    pieces = [b"aaaa", b"bbbb", b"cccc"]
    after = splice(pieces, [Edit(5, 6, b"X")])
    assert after == [b"aaaa", b"b", b"X", b"bb", b"cccc"]
    assert after[0] is pieces[0]
    assert after[-1] is pieces[2]
