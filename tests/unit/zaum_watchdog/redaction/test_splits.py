"""However a body is split, what comes out is the same."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.redaction import bodies, corpus, splits
from tests.support.properties import examples
from zaum_watchdog.core.redaction import breaks, redactor, searching, vault
from zaum_watchdog.core.redaction.redactor import Format

SAMPLES = [sample.text for sample in corpus.samples(seed=3, each=12)]
SHORT = sorted(SAMPLES, key=len)[: len(SAMPLES) // 3]
NOT_LONG = [text for text in SAMPLES if len(text) <= 100]


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON])
def test_every_split_in_two_of_every_sample_gives_the_same(form: Format, prefilter: searching.Prefilter) -> None:
    for text in SAMPLES:
        body = bodies.written(text, form)
        whole = bodies.Run(prefilter, form=form).over(body)
        for cut in range(1, len(body)):
            assert bodies.Run(prefilter, form=form).over(body, [cut]) == whole, (body, cut)


@pytest.mark.parametrize(
    ("form", "texts"), [(Format.TEXT, NOT_LONG), (Format.JSON, NOT_LONG[::5]), (Format.EVENTS, SHORT[::16])]
)
def test_every_split_in_three_of_samples_that_are_not_long_gives_the_same(
    form: Format, texts: list[bytes], prefilter: searching.Prefilter
) -> None:
    counted = splits.Counted()
    for text in texts:
        body = bodies.written(text, form, widest=30)
        assert splits.Splits(prefilter, form, body).every(counted) == (), body
    assert counted.in_three > 20_000


@pytest.mark.parametrize("form", Format)
def test_a_split_that_matters_is_seen(
    form: Format, prefilter: searching.Prefilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaks, "last", lambda _text, _start, end: end)
    body = bodies.written(b"ask bob@example.com", form, widest=9)
    assert splits.Splits(prefilter, form, body).every(splits.Counted()) != ()


def test_every_split_in_three_of_a_short_sample_gives_the_same_without_a_way_left_out(
    prefilter: searching.Prefilter,
) -> None:
    for text in SHORT[::3]:
        whole = bodies.Run(prefilter).over(text)
        for cuts in itertools.combinations(range(1, len(text)), 2):
            assert bodies.Run(prefilter).over(text, cuts) == whole, (text, cuts)


def test_events_that_come_split_anywhere_or_byte_by_byte_give_the_same(prefilter: searching.Prefilter) -> None:
    for text in SHORT[::3]:
        body = bodies.written(text, Format.EVENTS)
        whole = bodies.Run(prefilter, form=Format.EVENTS).over(body)
        assert bodies.Run(prefilter, form=Format.EVENTS).over(body, range(1, len(body))) == whole, body
        for cut in range(1, len(body), 7):
            assert bodies.Run(prefilter, form=Format.EVENTS).over(body, [cut]) == whole, (body, cut)


def _text_of(events: bytes) -> str:
    lines = [line[6:] for line in events.split(b"\n") if line.startswith(b"data: {")]
    return "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines)


def test_a_text_is_redacted_alike_whole_and_as_deltas(prefilter: searching.Prefilter) -> None:
    for text in SAMPLES:
        whole = bodies.Run(prefilter, form=Format.JSON).over(bodies.written(text, Format.JSON))
        streamed = bodies.Run(prefilter, form=Format.EVENTS).over(bodies.written(text, Format.EVENTS))
        assert _text_of(streamed) == json.loads(whole)["content"], text


def test_names_are_turned_back_alike_however_they_are_split(prefilter: searching.Prefilter) -> None:
    for form in Format:
        for text in SHORT[::5]:
            names = vault.Vault(bodies.KEY)
            asked = bodies.Run(prefilter, names=names).over(text)
            body = bodies.written(asked, form)
            back = [
                bodies.Run(
                    prefilter, redactor.Plan({}, vault.Origin.UPSTREAM, redactor.Restored.AGENTS), form, names
                ).over(body, cuts)
                for cuts in ([], [len(body) // 3], [len(body) // 2, len(body) - 3], range(1, len(body)))
            ]
            assert len(set(back)) == 1, body
            if form is Format.TEXT:
                assert back[0] == text


PARTS = st.sampled_from(
    [
        b"4111 1111",
        b" 1111 1111",
        b"4111111111111111",
        b"bob",
        b"@",
        b"example",
        b".com",
        b"DE89 3704 0044",
        b" 0532 0130 00",
        b"+49 170 ",
        b"1234567",
        b" ",
        b"-",
        b"\n",
        b"\\n",
        b"\\u0040",
        b"\\\\",
        b'"',
        b'\\"',
        b"sk-proj-",
        b"aB3dE6gH9jK2mN5pQ8sT",
        b"-----BEGIN PRIVATE KEY-----",
        b"-----END PRIVATE KEY-----",
        b"aB3+" * 17,
        b"A" * 1100,
        b"x" * 5000,
        b"\xc2\xa0",
        b"\xe4\xbd\xa0",
        b"<",
        b"<zaum:",
        b">",
        b"(0)",
        b"secret_access_key = ",
        b"eyJhbGciOiJIUzI1NiJ9",
        b".e30",
        b"0",
        b"7 ",
        b"ABCD ",
        b"data: ",
    ]
)


@settings(max_examples=examples(400))
@given(parts=st.lists(PARTS, max_size=24), data=st.data())
def test_any_body_gives_the_same_in_any_pieces(
    parts: list[bytes], data: st.DataObject, prefilter: searching.Prefilter
) -> None:
    body = b"".join(parts)
    form = data.draw(st.sampled_from(Format))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    whole = bodies.Run(prefilter, form=form).over(body)
    assert bodies.Run(prefilter, form=form).over(body, cuts) == whole
