"""The labelled corpus: texts with values of the classes in them, and with what only looks like one.

Made from a seed, the same each time. A text is what people, programs and models write around such things.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.redaction import lookalikes, values
from zaum_watchdog.core.redaction.classes import Kind

SEED: Final = 20260101
EACH: Final = 1500
"""Samples of each class, and as many of what looks like it."""

_AROUND: Final = (
    ("", ""),
    ("Please note: ", "."),
    ("It is ", ", and nothing else."),
    ("(", ")"),
    ("“", "”"),
    ("'", "'"),
    ("<", ">"),
    ("value=", "\n"),
    ("\t", "\t"),
    ("id,name,value\n17,Anna,", ",true\n"),
    ("- item: ", "\n- other: no\n"),
    ("My number/address/key is ", " OK?"),
    ("联系方式是：", "，谢谢。"),  # noqa: RUF001  # Chinese has its own marks
    ("Контакт ", "; звоните"),
    ('log: 2024-05-06 level=info msg="got ', '"'),
    ("| a | ", " | b |"),
    ("see [", "](x)"),
    ("Old: none. New: ", "! And more text follows"),
    ("ALL CAPS HERE: ", " THE END"),
    ("{'k': '", "'}"),
    ("first\n\n", "\n\nlast"),
    ("`", "`"),
    ("Name\tAnna\nValue\t", "\nEnd"),
)


@dataclass(frozen=True, slots=True)
class Label:
    """A value, by its offsets in bytes."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Sample:
    """A text and the values in it. `about`: the class for whose sake it is there."""

    about: Kind
    text: bytes
    labels: tuple[Label, ...]


def samples(seed: int = SEED, each: int = EACH) -> Iterator[Sample]:
    """Give all samples."""
    dice = Random(seed)
    for kind in Kind:
        for _ in range(each):
            yield _positive(dice, kind)
            yield _negative(dice, kind)


def _positive(dice: Random, kind: Kind) -> Sample:
    before, behind = dice.choice(_AROUND)
    value = values.POSITIVES[kind](dice)
    if kind is Kind.CLOUD_KEY and dice.random() < 0.3:
        name, value = values.named_secret(dice)
        before += name
    start = len(before.encode())
    label = Label(start, start + len(value.encode()), kind)
    return Sample(kind, (before + value + behind).encode(), (label,))


def _negative(dice: Random, kind: Kind) -> Sample:
    before, behind = dice.choice(_AROUND)
    return Sample(kind, (before + lookalikes.NEGATIVES[kind](dice) + behind).encode(), ())
