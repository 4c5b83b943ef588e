"""The prefilter of redaction: a set of RE2's automata. Loaded when a route redacts and not before, for its weight."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from zaum_watchdog.core.redaction import searching
from zaum_watchdog.core.redaction.classes import Kind

if TYPE_CHECKING:
    import re2

_MEMORY: Final = 2 << 20
"""Bytes for the automaton's states: when they are full it begins anew."""


def load(hints: Mapping[Kind, str] = searching.HINTS) -> searching.Prefilter:
    """Load the library and compile the hints; `re2.error` if one of them is none."""
    import re2  # noqa: PLC0415  # only where something is redacted

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = _MEMORY
    return _Set(re2.Set.SearchSet(options), hints)


class _Set:
    """The set, with a pattern in it that matches always: an automaton that gave up says that nothing matches."""

    __slots__ = ("_all", "_canary", "_kinds", "_set")

    def __init__(self, patterns: "re2.Set", hints: Mapping[Kind, str]) -> None:
        self._set = patterns
        self._kinds = {patterns.Add(hint): kind for kind, hint in hints.items()}
        self._all = frozenset(hints)
        self._canary = patterns.Add("")
        patterns.Compile()

    def __call__(self, text: bytes) -> frozenset[Kind]:
        found = self._set.Match(text)
        if self._canary not in found:
            return self._all
        return frozenset(self._kinds[each] for each in found if each != self._canary)
