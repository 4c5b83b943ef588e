"""Find what consists of digits for the most part: cards, IBANs, telephone numbers."""

import re
from collections.abc import Iterator
from typing import Final

from zaum_watchdog.core.redaction import checks
from zaum_watchdog.core.redaction.classes import Found, Kind

_RUN: Final = re.compile(rb"(?<![0-9A-Za-z_])(?<![0-9]\.)[0-9]++(?:[ -][0-9]++)*+(?![0-9A-Za-z_])(?!\.[0-9])")
"""Digits in groups, with nothing before or behind that makes them part of something else."""
_GROUP: Final = re.compile(rb"[0-9]+")
_DIGITS_MIN: Final = 14
_DIGITS_MAX: Final = 19
_GROUPINGS: Final = (
    (4, 4, 4, 4, 3), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4),
)  # fmt: skip
_IBAN: Final = re.compile(
    rb"(?<![0-9A-Za-z_])(?:"
    rb"[A-Z]{2}[0-9]{2}(?:([ -])[A-Z0-9]{4})(?:\1[A-Z0-9]{4})*+(?:\1[A-Z0-9]{1,3}(?![0-9A-Za-z_]))?"
    rb"|[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{11,29}+)"
)
_SEPARATORS: Final = b" -./()"
_INTERNATIONAL: Final = re.compile(
    rb"(?<![0-9A-Za-z_+])(?<![0-9][.-])(?:\+|(?<![0-9] )00[ -]?)"
    rb"(?=[1-9])[0-9]++(?:(?:[./]| ?[/-] ?| )?(?:[0-9]++|\([0-9]++\)))*+(?![0-9A-Za-z_@])(?!:[0-9])"
)
_AMERICAN: Final = re.compile(
    rb"(?<![0-9A-Za-z_+])(?<![0-9][./-])(?<![0-9] )(?<!/)(?:1[-. ])?"
    rb"(?:\([2-9][0-9]{2}\)[ -]?[2-9][0-9]{2}[-. ]|[2-9][0-9]{2}([-. ])[2-9][0-9]{2}\1)[0-9]{4}"
    rb"(?![0-9A-Za-z_])(?![ ./-][0-9])(?![:=/])"
)
_NATIONAL: Final = re.compile(
    rb"(?<![0-9A-Za-z_+])(?<![0-9][./:-])(?<![0-9] )(?<![/#$-])"
    rb"(?:\(0[1-9][0-9]{1,4}\)|0[1-9][0-9]{0,4}(?=[ ./-]))"
    rb"(?: ?[/-] ?|[ .]?)[0-9]{2,8}(?:[ .-][0-9]{1,5})*+(?![0-9A-Za-z_@])(?![:.][0-9])"
)
_DECIMAL: Final = re.compile(rb"\+[0-9]+\.[0-9]+")
_DATE: Final = re.compile(rb"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{4}")


def cards(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find the numbers of cards, in one piece or in the groups in which they are printed."""
    for run in _RUN.finditer(text, at, end):
        if run.end() - run.start() < _DIGITS_MIN:
            continue
        groups = [each.span() for each in _GROUP.finditer(text, run.start(), run.end())]
        sizes = tuple(last - first for first, last in groups)
        place = 0
        while place < len(groups):
            count = _card_groups(text, groups, sizes, place)
            if count:
                yield Found(groups[place][0], groups[place + count - 1][1], Kind.CARD)
            place += count or 1


def _card_groups(text: bytes, groups: list[tuple[int, int]], sizes: tuple[int, ...], place: int) -> int:
    """Give how many groups from `place` on are a card; 0 if it is none."""
    start, end = groups[place]
    if sizes[place] >= _DIGITS_MIN:
        return int(sizes[place] <= _DIGITS_MAX and checks.card(text[start:end]))
    if sizes[place] != 4:
        return 0
    for grouping in _GROUPINGS:
        if sizes[place : place + len(grouping)] != grouping:
            continue
        last = groups[place + len(grouping) - 1][1]
        whole = text[start:last]
        if not checks.card(whole.translate(None, b" -")):
            continue
        dashes = whole.count(b"-")
        # Joined by a dash to more of the same it is part of something longer.
        joined = (place and text[start - 1] == 45) or text[last : last + 1] == b"-"
        if dashes == 0 or (dashes == len(grouping) - 1 and not joined):
            return len(grouping)
    return 0


def ibans(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find IBANs, in one piece or in groups of four."""
    for found in _IBAN.finditer(text, at, end):
        country = found[0][:2].decode("ascii").upper()
        count = checks.IBAN_LENGTHS.get(country, 0)
        # As many marks as there are groups before the last one.
        stop = found.start() + count + ((count - 1) // 4 if found[1] else 0)
        behind = text[stop : stop + 1]
        if not count or stop > found.end() or behind.isalnum() or behind == b"_":
            continue
        if checks.iban(text[found.start() : stop].translate(None, b" -").upper()):
            yield Found(found.start(), stop, Kind.IBAN)


def phones(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find telephone numbers: international ones, North American ones, and ones with a trunk zero and separators."""
    for found in _INTERNATIONAL.finditer(text, at, end):
        stop = _dialled(found[0])
        if stop:
            yield Found(found.start(), found.start() + stop, Kind.PHONE)
    for found in _AMERICAN.finditer(text, at, end):
        yield Found(found.start(), found.end(), Kind.PHONE)
    for found in _NATIONAL.finditer(text, at, end):
        digits = found[0].translate(None, _SEPARATORS)
        if 10 <= len(digits) <= 12 and not _DATE.match(found[0]) and _groups(found[0]):
            yield Found(found.start(), found.end(), Kind.PHONE)


def _dialled(value: bytes) -> int:
    """Give how many bytes are a number that can be dialled; 0 if there is none. A word behind it may be more."""
    if _DECIMAL.fullmatch(value):
        return 0
    while value:
        digits = value.translate(None, b"+" + _SEPARATORS)
        if digits == value:
            return 0  # Two noughts do not make a number of a country's of any other.
        digits = digits if value.startswith(b"+") else digits[2:]
        if len(digits) <= 15:
            return len(value) if checks.called(digits) else 0
        value = value.rpartition(b" ")[0].rstrip(b" /-")
    return 0


def _groups(value: bytes) -> bool:
    """Say whether the groups are such as people write: not the parts of an address or of a version."""
    sizes = [len(each) for each in _GROUP.findall(value)]
    return b"." not in value or sizes == [2, 2, 2, 2, 2] or not all(size <= 3 for size in sizes)
