"""Search a stretch of text for values of the classes that matter.

A port says first which classes there may be values of at all: one pass over the text by an automaton that is linear in
its length. Only what may be there is then looked for by the patterns and checksums that decide.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from zaum_watchdog.core.redaction import addresses, keys, numbers
from zaum_watchdog.core.redaction.classes import PRECEDENCE, Found, Kind

Prefilter = Callable[[bytes], Collection[Kind]]
"""Say which classes a text may hold values of, by HINTS: those whose hint is in it, or all if that cannot be told."""

HINTS: Final[Mapping[Kind, str]] = {
    Kind.CARD: r"(?:^|[^0-9.]|[^0-9]\.)[2-6](?:[ -]?[0-9]){13}",
    Kind.IBAN: r"(?:^|[^0-9A-Za-z_])(?:[A-Z]{2}[0-9]{2}[ -][0-9A-Z]{4}[ -]|[A-Za-z]{2}[0-9]{2}[0-9A-Za-z]{11})",
    Kind.EMAIL: r"[0-9A-Za-z_.+'\x80-\xff-]@[0-9A-Za-z\x80-\xff]",
    Kind.PHONE: r"\+[1-9](?:[ ./()-]{0,3}[0-9]){7}|(?:^|[^0-9A-Za-z_])00[ -]?[1-9][0-9]*[ ./(-]|"
    r"[2-9][0-9]{2}\)?[-. ]?[2-9][0-9]{2}[-. ][0-9]{4}|"
    r"(?:^|[^0-9A-Za-z_])\(?0[1-9][0-9]{0,4}[ ./)-]{1,3}[0-9]|\(0[1-9][0-9]{1,4}\)[0-9]",
    Kind.CLOUD_KEY: r"AKIA|ASIA|ABIA|ACCA|AIza|GOCSPX|ya29\.|8Q~|LTAI|do[opr]_v1|(?i:secret|account.?key|access.?key)",
    Kind.TOKEN: r"eyJ|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|sk-|[sr]k_|whsec_|npm_|pypi-|hf_|SG\.|dckr_|gsk_|"
    r"AGE-|hooks\.slack",
}
"""For each class a pattern in RE2's syntax, over bytes, that every text with a value of it matches."""

_FINDERS: Final[Mapping[Kind, Callable[[bytes, int, int], Iterator[Found]]]] = {
    Kind.CARD: numbers.cards,
    Kind.IBAN: numbers.ibans,
    Kind.EMAIL: addresses.emails,
    Kind.PHONE: numbers.phones,
    Kind.CLOUD_KEY: keys.cloud_keys,
    Kind.TOKEN: keys.tokens,
}


class Search:
    """What is searched for."""

    __slots__ = ("_kinds", "_prefilter", "_wanted")

    def __init__(self, prefilter: Prefilter, wanted: Collection[Kind]) -> None:
        self._prefilter = prefilter
        self._wanted = frozenset(wanted)
        # What is a card or an IBAN is no telephone number, whatever becomes of it.
        shadows = {Kind.CARD, Kind.IBAN} if Kind.PHONE in self._wanted else set()
        self._kinds = [kind for kind in PRECEDENCE if kind in self._wanted or kind in shadows]

    def wants(self, kind: Kind) -> bool:
        """Say whether a class matters."""
        return kind in self._wanted

    def within(self, text: bytes, at: int, end: int) -> list[Found]:
        """Find the values from `at` to `end`, in their order and none in another; what is before `at` is context."""
        if not self._kinds or at == end:
            return []
        hinted = self._prefilter(text[max(0, at - keys.CONTEXT) : end])
        found: list[Found] = []
        for kind in self._kinds:
            if kind in hinted:
                found = _merged(found, _FINDERS[kind](text, at, end))
        return [each for each in found if each.kind in self._wanted]


def _merged(found: list[Found], more: Iterator[Found]) -> list[Found]:
    """Put in what overlaps nothing that is there, nor what was put in before."""
    merged: list[Found] = []
    place = 0
    for each in sorted(more):
        if merged and each.start < merged[-1].end:
            continue
        while place < len(found) and found[place].end <= each.start:
            merged.append(found[place])
            place += 1
        if place == len(found) or each.end <= found[place].start:
            merged.append(each)
    return merged + found[place:]
