"""What the corpus says of the redactor, and that the prefilter lets nothing pass that is a value."""

from collections.abc import Collection

import pytest

from tests.redaction import corpus, score
from zaum_watchdog.core.redaction import searching
from zaum_watchdog.core.redaction.classes import Kind

SAMPLES = list(corpus.samples(each=150))

LEAST = {
    Kind.CARD: (0.98, 1.0),
    Kind.IBAN: (1.0, 1.0),
    Kind.EMAIL: (1.0, 1.0),
    Kind.PHONE: (0.98, 0.95),
    Kind.CLOUD_KEY: (1.0, 1.0),
    Kind.TOKEN: (1.0, 1.0),
}
"""Precision and recall. Numbers by chance and numbers of telephones cannot always be told apart."""


def _everything(_: bytes) -> Collection[Kind]:
    return frozenset(Kind)


def _nothing(_: bytes) -> Collection[Kind]:
    return frozenset()


def test_what_is_labelled_is_found_and_little_else(prefilter: searching.Prefilter) -> None:
    scores, _ = score.scored(SAMPLES, prefilter)
    assert set(scores) == set(LEAST)
    for kind, (precision, recall) in LEAST.items():
        about = f"{kind.value}, seed {corpus.SEED}: {scores[kind]}"
        assert scores[kind].precision >= precision, about
        assert scores[kind].recall >= recall, about
        assert scores[kind].exact == scores[kind].right, about


def test_the_corpus_has_as_many_lookalikes_as_values_and_is_the_same_each_time() -> None:
    assert sum(bool(sample.labels) for sample in SAMPLES) == len(SAMPLES) // 2
    assert list(corpus.samples(each=3)) == list(corpus.samples(each=3))


def test_the_prefilter_hints_at_whatever_is_found_without_it(prefilter: searching.Prefilter) -> None:
    for sample in SAMPLES:
        assert score.found_in(sample.text, prefilter) == score.found_in(sample.text, _everything), sample


def test_nothing_is_looked_for_that_nothing_hints_at() -> None:
    assert not any(score.found_in(sample.text, _nothing) for sample in SAMPLES if b"PRIVATE KEY" not in sample.text)


@pytest.mark.parametrize(
    "text",
    [
        b"a-b@example.com_x",
        b"1-4111-1111-1111-1111",
        b"4111-1111-1111-1111-1",
        b"4111 1111-1111 1111",
        b"x@y.z9",
        b"+49 170 12345 67 2024 01 02 03 04 05",
        b"+49 170 1234567:8",
        b"DE89-3704 0044 0532 0130 00",
        b"DE89 3704 0044 0532 0130 0012 3456 7890 1234 5678 9012 3456",
    ],
)
def test_what_is_nearly_a_value_ends_as_it_should(text: bytes, prefilter: searching.Prefilter) -> None:
    found = [text[each.start : each.end] for each in score.found_in(text, prefilter)]
    assert found in ([], [b"+49 170 12345 67"], [b"+49 170 12345 67 2024"])


def test_where_classes_overlap_the_stricter_one_has_it(prefilter: searching.Prefilter) -> None:
    found = score.found_in(b"card 4111 1111 1111 1111, +49 170 1234567 and a@b.example", prefilter)
    assert [each.kind for each in found] == [Kind.CARD, Kind.PHONE, Kind.EMAIL]
