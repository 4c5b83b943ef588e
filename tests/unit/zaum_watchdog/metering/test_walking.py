"""JSON walked as it arrives: the same in any pieces, strictly, and never for long."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zaum_watchdog.metering import reading
from zaum_watchdog.core.metering import places, walking
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place

INNER = Place(
    kept=True, members={b"b": KEPT, b"list": Place(kept=True, items=Place(members={b"x": KEPT}))}, other=UNREAD
)
ROOT = Place(members={b"a": KEPT, b"in": INNER, b"no": Place(refused="is not wanted")}, other=UNREAD)


def problem(*pieces: bytes) -> str:
    found = reading.walked(ROOT, *pieces).problem
    return "" if found is None else f"{found.field}: {found.text}"


def test_what_is_wanted_is_found_with_the_bytes_where_it_stands() -> None:
    text = b' { "z" : [1, {"a": 2}], "a" : "x\\"y" , "in":{"b":-1.5e3,"list":[{"x":null}, {}]} } '
    values = reading.walked(ROOT, text).values
    assert {path: text[seen.start : seen.end] for path, seen in values.items()} == {
        "a": b'"x\\"y"',
        "in": b'{"b":-1.5e3,"list":[{"x":null}, {}]}',
        "in.b": b"-1.5e3",
        "in.list": b'[{"x":null}, {}]',
        "in.list[].x": b"null",
    }
    assert values["a"].whole
    assert values["in"].raw == b"{"


def test_a_long_value_is_kept_in_part() -> None:
    text = json.dumps({"a": "x" * 100_000}).encode()
    seen = reading.walked(ROOT, text).values["a"]
    assert len(seen.raw) == places.KEPT_MAX
    assert not seen.whole
    assert (seen.start, seen.end) == (6, 6 + 100_002)


def _refuse(name: str) -> None:
    raise ValueError(name)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b"{",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b"{a:1}",
        b"{'a':1}",
        b'{"a":1}x',
        b'{"a":1}{}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":+1}',
        b'{"a":1e}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":True}',
        b'{"a":"\n"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\u12g4"}',
        b'{"a":"x}',
        b'{"z":[1,]}',
        b'{"z":[,1]}',
        b'{"z":[1 2]}',
        b'{"z":[}',
        b'{"z":(1)}',
        b'{"z":[1}',
        b'{"z":{"a":1]}',
        b'{"a":1 /* */}',
        b"\xef\xbb\xbf{}",
        b'{"a":1,,"b":2}',
        b'{"a" 1}',
        b"{:1}",
        b'{"z":[1]]}',
        b'{"a":nul}',
        b'{"a":tru',
        b'{"z":[[]',
        b'{"a":"\\',
    ],
)
def test_what_is_no_json_object_is_a_problem(text: bytes) -> None:
    assert problem(text)
    with pytest.raises((ValueError, TypeError)):
        {**json.loads(text.decode(), parse_constant=_refuse)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":1,"a":1}', "a: is there twice"),
        (b'{"a":1,"\\u0061":1}', "a: is there twice"),
        (b'{"in":{"b":1,"x":1,"b":2}}', "in.b: is there twice"),
        (b'{"x":1,"x":2}', "x: is there twice"),
        (b'{"no":1}', "no: is not wanted"),
        (b'{"no":[]}', "no: is not wanted"),
        (b'{"a":{}}', "a: is not of the expected kind"),
        (b'{"in":[]}', "in: is not of the expected kind"),
        (b'{"a":' + b"1" * 65 + b"}", "a: has more than 64 digits"),
        (b'{"z":' + b"[" * 64, ": it is nested deeper than 64 (at byte 68)"),
        (b'{"' + b"k" * 1022 + b'":1}', ": it has a name of more than 1024 bytes (at byte 1)"),
        (b'{"' + b"k" * 1021 + b'":1}', ""),
    ],
)
def test_what_could_be_understood_in_two_ways_is_a_problem_with_its_place(text: bytes, expected: str) -> None:
    assert problem(text) == expected


def test_null_and_false_stand_where_nothing_else_may() -> None:
    assert problem(b'{"no":null}') == problem(b'{"no":false}') == ""
    assert problem(b'{"no":true}') != ""


def test_twice_in_what_nobody_reads_is_nobodys_problem() -> None:
    assert problem(b'{"z":{"a":1,"a":2}}') == ""


def test_a_name_is_bounded_when_it_comes_in_pieces() -> None:
    assert "no JSON" in problem(b'{"', *[b"k" * 100] * 20)
    for size in range(1015, 1030):
        text = b'{"' + b"k" * size + b'":1}'
        assert bool(problem(text)) == bool(problem(*reading.cut(text, *range(len(text)))))


@pytest.mark.parametrize("size", range(60, 70))
def test_a_number_is_bounded_in_any_pieces_alike(size: int) -> None:
    text = b'{"a":' + b"1" * size + b"}"
    assert bool(problem(text)) == bool(problem(*reading.cut(text, *range(len(text))))) == (size > places.SCALAR_MAX)


def test_an_object_of_very_many_members_is_a_problem_where_they_are_remembered() -> None:
    many = b"{" + b",".join(b'"k%d":1' % number for number in range(2000)) + b"}"
    assert "more than 1024 members" in problem(many)
    assert problem(b'{"z":' + many + b"}") == ""


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "z", "é", 'q"', "in2"]), VALUES, max_size=4)


@given(DOCUMENTS, st.booleans(), st.lists(st.integers(0, 400), max_size=4))
def test_all_json_is_taken_and_in_any_pieces_alike(document: dict[str, Any], plain: bool, places: list[int]) -> None:
    text = json.dumps(document, ensure_ascii=plain, indent=None if plain else 1).encode("utf-8", "surrogatepass")
    wild = Place(members={b"a": Place(kept=True, members={}, items=UNREAD, other=UNREAD)}, other=UNREAD)
    whole, pieces = reading.walked(wild, text), reading.walked(wild, *reading.cut(text, *places))
    assert whole.problem is None
    assert whole.done
    assert pieces.values == whole.values
    if "a" in document:
        seen = whole.values["a"]
        assert json.loads(text[seen.start : seen.end]) == document["a"]


@given(DOCUMENTS, st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_what_is_taken_is_json_that_others_read_alike(document: dict[str, Any], place: int, odd: bytes) -> None:
    text = json.dumps(document).encode()
    changed = text[: place % (len(text) + 1)] + odd + text[place % (len(text) + 1) :]
    found = reading.walked(
        Place(members={b"a": Place(kept=True, members={}, items=UNREAD, other=UNREAD)}, other=UNREAD), changed
    )
    if found.problem is not None:
        return
    read = json.loads(changed.decode("utf-8", "surrogateescape"))
    if "a" in found.values:
        seen = found.values["a"]
        assert json.loads(changed[seen.start : seen.end].decode("utf-8", "surrogateescape")) == read["a"]
    else:
        assert "a" not in read


def _floats() -> bytes:
    dice = random.Random(7)
    return b",".join(b"%.17g" % dice.uniform(-1, 1) for _ in range(20_000))


NASTY = {
    "a string": b'{"a":"' + b"a" * 2**20 + b'"}',
    "escapes": b'{"a":"' + b"\\n" * 2**19 + b'"}',
    "spaces": b" " * 2**20 + b"{}",
    "brackets": b'{"z":[' + b"[]," * 10**5 + b"[]]}",
    "objects": b'{"in":{"list":[' + b'{"x":1},' * 10**5 + b"{}]}}",
    "open brackets": b'{"z":' + b"[" * 10**6,
    "zeros": b'{"z":[' + b"0," * 10**5 + b"0]}",
    "floats": b'{"z":[' + _floats() + b"]}",
    "members": b'{"z":{' + b",".join(b'"":1' for _ in range(10**5)) + b"}}",
    "digits": b'{"a":' + b"1" * 10**6,
    "no json": b"x" * 10**6,
}


@pytest.mark.parametrize("name", NASTY)
def test_no_turn_looks_at_more_than_a_slice_or_takes_more_than_its_steps(name: str) -> None:
    data = NASTY[name]
    steps = 0

    class Counted(walking.Walker):
        def _value(self) -> bool:
            nonlocal steps
            steps += 1
            return super()._value()

    walker, at = Counted(ROOT), 0
    while at < len(data):
        steps = 0
        went = walker.feed(data, at)
        assert steps <= walking.STEPS + 1
        assert walker.problem is not None or went - at <= walking.SLICE
        at = went
    walker.end()
