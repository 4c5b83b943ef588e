"""A small document in one piece is read at once, and nobody can tell: the same is found, and refused."""

import dataclasses
import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.properties import examples
from zaum_watchdog.core.metering import answered, asked, endpoints, plain, splicing, walking, whole
from zaum_watchdog.core.metering.places import KEPT, SCALAR_MAX, UNREAD, Place, Problem, Seen, Tallies

CHAT = endpoints.Endpoint.CHAT
DEEP = Place(
    kept=True, members={b"b": KEPT, b"list": Place(kept=True, items=Place(members={b"x": KEPT}))}, other=UNREAD
)
ROOTS = {
    "chat": asked._ROOTS[endpoints.Endpoint.CHAT],
    "responses": asked._ROOTS[endpoints.Endpoint.RESPONSES],
    "embeddings": asked._ROOTS[endpoints.Endpoint.EMBEDDINGS],
    "messages": asked._ROOTS[endpoints.Endpoint.MESSAGES],
    "model": asked._ROOT_ALONE,
    "answer": answered._BODY,
    "deep": Place(members={b"a": KEPT, b"in": DEEP, b"no": Place(refused="is not wanted")}, other=UNREAD),
    "any": UNREAD,
}
NAMES = (  # noqa: SIM905  # they read better so
    "model messages content type text image_url url role max_tokens max_completion_tokens n stream stream_options "
    "include_usage tools input thinking budget_tokens usage prompt_tokens completion_tokens total_tokens message "
    "response service_tier a b in list x no metadata user system cache_control ttl id output audio \u00e9\u4e16"
).split()
TEXTS = (
    "world-1",
    "text",
    "user",
    "",
    "data:image/png;base64,AA",
    "auto",
    "ephemeral",
    "1h",
    'x"y\\',
    "\u00e9\n\u4e16",
    "function",
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(TEXTS) | st.sampled_from(("y" * 600, "[" * 70, 10**70))
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=24,
)
TURNS = st.lists(
    st.dictionaries(st.sampled_from(("role", "content")), st.sampled_from(TEXTS), min_size=1, max_size=2)
    | st.fixed_dictionaries({"role": st.sampled_from(TEXTS), "content": st.sampled_from(TEXTS)})
    | VALUES,
    min_size=1,
    max_size=4,
)
DOCUMENTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8) | st.fixed_dictionaries(
    {}, optional={"model": st.just("m"), "messages": TURNS, "input": TURNS, "metadata": VALUES}
)
SPLINTERS = (
    b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\t" * 130, b"0", b"-", b".", b"e5", b"NaN",
    b"Infinity", b"-Infinity", b"null", b"\x00", b"\x1f", b"\x7f", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\\u00e9",
    b"\\ud83d\\ude00", b"\\ud83d", b"\\u12", b"\\/", b'"model":1,', b'"a":1,', b'"m\\u006fdel":"x",',
    b'"x":' + b"[" * 66,
    b"-0", b"-0.5", b'"n":-0,', b'"prompt_tokens":-0,', b'"z":[-0],',
    b"[" * 63 + b"]" * 63, b'"' + b"k" * 1030 + b'":1,', b'"' + b"\\u006b" * 200 + b'":1,',
    b'"k":"' + b"k" * 513 + b'",',
    b'"z":{"q":1,"q":2},', b'"z":' + b"9" * 65 + b",", b'"z":[1,' + b"9" * 65 + b"],", b'"z":[{"k":{}}],', b"true",
    b'"z":"' + b"v" * 510 + b'",', b'"stream_options":{},', b'"usage":{"prompt_tokens":1},', b'"no":false,',
    b"\x0c", b"\xa0", b"\xe2\x80\xa8", b"1.", b"01", b"+1", b"1E+2", b"/**/", b'"z":[' + b"{}," * 300 + b"1],",
)  # fmt: skip


class Stepwise(walking.Walker):
    """Takes every token by a step."""

    __slots__ = ()

    def _read_whole(self, data: bytes) -> bool:
        return False


Found = tuple[dict[str, Seen], Tallies, Problem | None, bool]


def found(walker: walking.Walker, *pieces: bytes) -> Found:
    for piece in pieces:
        at = 0
        while at < len(piece):
            at = walker.feed(piece, at)
    walker.end()
    if walker.problem is not None:  # What was found until then is of no use to anybody.
        return {}, Tallies(int), walker.problem, walker.done
    return walker.values, walker.tallies, None, walker.done


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Write a document in one of the ways of writing it, and break it in some places, or in none."""
    document: Any = draw(DOCUMENTS)
    indent, ascii_only = draw(st.sampled_from((None, None, 2))), draw(st.booleans())
    separators = draw(st.sampled_from(((",", ":"), (", ", ": "), (" ,", " :\r\n"))))
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only, separators=separators).encode()
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        # Where a member may begin, most of the time: there a splinter may be fine.
        start = text.rfind(b"{", 0, start) + 1 if draw(st.booleans()) else start
        text = text[:start] + draw(st.sampled_from(SPLINTERS)) + text[start + draw(st.sampled_from((0, 0, 1, 3))) :]
    return text + draw(st.sampled_from((b"", b"", b"\n", b" ", b"}", b"x")))


@settings(max_examples=examples(400))
@given(root=st.sampled_from(sorted(ROOTS)), text=texts(), behind=st.sampled_from((b"", b" ", b"}", b"\n\n", b"{}")))
@example("deep", b'{"z":' + b"[" * 63 + b"]" * 63 + b"}", b"")
@example("deep", b'{"z":' + b"[" * 64 + b"]" * 64 + b"}", b"")
@example("deep", b'{"z":{"q":1,"q":2},"a":1}', b"")
@example("deep", b'{"a":1,"a":1}', b"")
@example("deep", b'{"a":"' + b"v" * 510 + b'"}', b"")
@example("deep", b'{"a":"' + b"v" * 511 + b'"}', b"")
@example("chat", b'{"messages":[{"role":"user","content":"","role":"user"}]}', b"")
@example("chat", b'{"messages":[{"role":"user","content":"x"},]}', b"")
@example("chat", b'{"messages":[{"role":"user","content":"x"}{"role":"user","content":"x"}]}', b"")
@example("chat", b'{"messages":[{"role":"user","content":"x\\"}]}', b"")
@example("any", b'{"z":[1,' + b"9" * 65 + b"]}", b"")
@example("any", b'{"z":{"' + b"\\ud83d\\ude00" * 84 + b'":1}}', b"")
@example("any", b'{"z":{"' + b"\\ud83d\\ude00" * 86 + b'":1}}', b"")
def test_i07_a_document_read_at_once_is_found_and_refused_as_it_is_step_by_step(
    root: str, text: bytes, behind: bytes
) -> None:
    place = ROOTS[root]
    assert found(walking.Walker(place), text, behind) == found(Stepwise(place), text, behind)


PASSED_OVER = b'{"z":[null,1' + b"0" * SCALAR_MAX + b',2],"a":1}'


@settings(max_examples=examples(400))
@given(root=st.sampled_from(sorted(ROOTS)), text=texts(), cuts=st.lists(st.integers(0, 600), max_size=4))
@example("any", PASSED_OVER, [])
@example("any", PASSED_OVER, [14])
@example("any", PASSED_OVER, [len(PASSED_OVER) - 8])
def test_i07_where_a_document_is_cut_in_pieces_changes_nothing(root: str, text: bytes, cuts: list[int]) -> None:
    def read(*pieces: bytes) -> object:
        values, tallies, problem, done = found(Stepwise(ROOTS[root]), *pieces)
        # Of two things that are wrong, the first that is seen is told.
        return "refused" if problem is not None else (values, tallies, done)

    ends = [0, *sorted(cuts), max(len(text), *cuts, 0)]
    assert read(*(text[start:end] for start, end in itertools.pairwise(ends))) == read(text)


@pytest.mark.parametrize("cut", [1, 14, len(PASSED_OVER)])
def test_a_number_of_too_many_digits_is_refused_in_a_list_that_nobody_looks_into(cut: int) -> None:
    problem = found(Stepwise(UNREAD), PASSED_OVER[:cut], PASSED_OVER[cut:])[2]
    assert problem is not None


COUNTED = (
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens",
    "prompt_tokens_details", "input_tokens_details", "server_tool_use", "x",
)  # fmt: skip
NUMBERS: st.SearchStrategy[Any] = st.integers(-1, 9) | st.sampled_from((None, True, 1.5, 10**8, 10**9, "7", [], {}))
DETAILS = st.dictionaries(st.sampled_from(("cached_tokens", "audio_tokens", "x")), NUMBERS, max_size=2)
ASKED = st.fixed_dictionaries(
    {"model": st.sampled_from(("world-1", "\u00e9", "", "x" * 101, "a\nb")) | VALUES},
    optional={
        "messages": TURNS | VALUES,
        "input": TURNS | VALUES,
        "max_tokens": NUMBERS | st.sampled_from((50, 10**8 + 1)),
        "max_completion_tokens": NUMBERS | st.just(50),
        "max_output_tokens": NUMBERS,
        "n": NUMBERS | st.sampled_from((2, 128, 129)),
        "stream": st.booleans() | st.none() | VALUES,
        "stream_options": st.sampled_from(({"include_usage": True}, {"include_usage": False}, {}, None, {"x": 1})),
        "instructions": st.sampled_from(("x", None, 5, [], {})),
        "system": TURNS | st.just("x"),
        "metadata": st.just({"max_tokens": 7}) | VALUES,
        "stop": st.just(["max_tokens"]),
        "temperature": st.just(0.5),
        "x": VALUES,
    },
)
USED: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(COUNTED), NUMBERS | DETAILS, max_size=6)
ANSWERS = st.fixed_dictionaries(
    {"choices": VALUES},
    optional={
        "usage": USED | VALUES,
        "service_tier": st.sampled_from(("default", "priority", None, [], {})),
        "type": st.sampled_from(("message", [], {})),
        "message": USED | VALUES,
        "response": VALUES,
    },
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Write an answer, and break it in one place, or in none."""
    text = json.dumps(draw(ANSWERS), ensure_ascii=draw(st.booleans())).encode()
    at = draw(st.integers(0, len(text)))
    at = text.find(b":", at) + 1 or at
    return text[:at] + draw(st.sampled_from((b"", b"", b"", *SPLINTERS, b"-0", b"-"))) + text[at:]


@settings(max_examples=examples(400))
@given(
    endpoint=st.sampled_from(endpoints.Endpoint),
    text=answers(),
    at=st.integers(1, 400),
    behind=st.sampled_from((b"", b" ", b"}", b"\n", b"{}")),
    clean=st.booleans(),
)
@example(endpoints.Endpoint.CHAT, b'{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{}}', 5, b"", True)
@example(
    endpoints.Endpoint.CHAT, b'{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":1}}', 5, b"", True
)
@example(endpoints.Endpoint.CHAT, b'{"usage":{"prompt_tokens":1,"completion_tokens":-0}}', 5, b"", True)
@example(endpoints.Endpoint.CHAT, b'{"usage":{"prompt_tokens":1,"completion_tokens":1}} ', 5, b"{", True)
def test_i07_an_answer_read_at_once_is_charged_as_it_is_in_pieces(
    endpoint: endpoints.Endpoint, text: bytes, at: int, behind: bytes, clean: bool
) -> None:
    def read(*pieces: bytes) -> object:
        reader = answered.Body(endpoint)
        for piece in pieces:
            done = 0
            while done < len(piece):
                done = reader.feed(piece, done)
        return reader.end(clean=clean)

    # What is not at once there is read step by step.
    assert read(text, behind) == read(text[:1], text[1:at], text[at:], behind)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Write a request, and break it in one place, or in none."""
    text = json.dumps(draw(ASKED), ensure_ascii=draw(st.booleans())).encode()
    at = draw(st.integers(0, len(text)))
    at = text.find(draw(st.sampled_from((b":", b"{", b","))), at) + 1 or at
    return text[:at] + draw(st.sampled_from((b"", b"", b"", *SPLINTERS, b'"m\\u0061x_tokens":50,'))) + text[at:]


@settings(max_examples=examples(400))
@given(
    endpoint=st.sampled_from(endpoints.Endpoint),
    text=requests(),
    at=st.integers(1, 400),
    behind=st.sampled_from((b"", b" ", b"}", b"\n", b"{}")),
    models=st.sampled_from((frozenset[str](), frozenset({"world-1"}), frozenset({"large"}))),
)
@example(CHAT, b'{"model":"m","metadata":{"max_tokens":7},"m\\u0061x_tokens":7}', 9, b"", frozenset())
@example(CHAT, b'{"model":"m","metadata":{"max_tokens":7},"max_tokens":7}', 9, b"", frozenset())
@example(CHAT, b' {"model":"m","max_tokens" : 7 , "stop":["max_tokens"]}', 9, b"", frozenset())
@example(CHAT, b'{"model":"m","max_tokens":7}', 9, b"}", frozenset())
@example(CHAT, b'{"model":"m","n":5,"messages":[],"n":1}', 9, b"", frozenset())
@example(
    CHAT, b'{"model":"m","max_tokens":0,"messages":{"a":[null,1' + b"0" * SCALAR_MAX + b"]}}", 60, b"", frozenset()
)
def test_i07_a_request_read_at_once_leaves_as_it_does_in_pieces(
    endpoint: endpoints.Endpoint, text: bytes, at: int, behind: bytes, models: frozenset[str]
) -> None:
    def read(*pieces: bytes, priced: bool, keep: bool) -> object:
        reader = asked.Reading(endpoint, models=models, priced=priced, keep=keep)
        for piece in pieces:
            done = 0
            while done < len(piece):
                done = reader.feed(piece, done)
        found = reader.end()
        body = b"".join(reader.pieces)
        if isinstance(found, asked.Refused):
            return "refused", body  # Of two things that are wrong, the first that is seen is told.
        sent = [b"".join(splicing.splice(reader.pieces, found.edits(output))) for output in (None, 0, 5, 49, 10**9)]
        return dataclasses.replace(found, values={}), body, sent

    # What is not at once there is read step by step.
    for priced, keep in ((True, False), (True, True), (False, False)):
        pieces = text[:1], text[1:at], text[at:], behind
        assert read(text, behind, priced=priced, keep=keep) == read(*pieces, priced=priced, keep=keep)


@pytest.mark.parametrize(
    "text",
    [
        b'{"model": "m", "messages": [{"role": "user", "content": "Say, [it]"}], "temperature": 0.2, "max_tokens": 9}',
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}\n',
        b'{"model":"m","messages":[{"content":"\xc3\xa9","role":"user"}],"n":2,"metadata":{"x":[1,{}]}}',
    ],
)
def test_what_clients_ask_is_read_in_one_go(text: bytes) -> None:
    assert plain.Shape(ROOTS["chat"], ("max_tokens",)).read(text) is not None


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ("responses", b'{"input":[{"role":"user","content":"Say, \\"it\\""},{"content":"\xc3\xa9","role":"x"} ] }'),
        ("chat", b'{"model": "m", "messages": [{"role": "user", "content": "Say, [it]"}], "temperature": 0.2}'),
        (
            "messages",
            b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}',
        ),
        ("answer", b'{"id":"x","choices":[{"message":{"content":"\xc3\xa9"}}],"usage":{"prompt_tokens":3}}\n'),
    ],
)
def test_what_clients_and_providers_write_is_read_at_once(root: str, text: bytes) -> None:
    assert whole.read(ROOTS[root], text) is not None


@pytest.mark.parametrize(
    "text",
    [
        b'{"z":"' + b"x" * whole.BYTES_MAX + b'"}',
        b'{"z":[' + b"1," * whole.TOKENS_MAX + b"1]}",
        b'{"z":' + b"[" * whole.TOKENS_MAX + b"]" * whole.TOKENS_MAX + b"}",
        b'{"z":1' + b" " * whole.SPACE_MAX + b"}",
    ],
)
def test_what_would_take_long_is_left_to_the_steps(text: bytes) -> None:
    assert whole.read(UNREAD, text) is None
