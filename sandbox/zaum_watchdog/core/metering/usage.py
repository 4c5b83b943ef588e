"""Read `usage` as providers write it, and doubt it.

A number that cannot be meant, two that contradict each other, one that is missing or gets smaller: whatever was proven
stands, and a doubt says that the call's worst case is to be charged if that is more.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from zaum_watchdog.core.metering import prices
from zaum_watchdog.core.metering.endpoints import Endpoint
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place, Seen

TOKENS_MAX: Final = 100_000_000
"""Of one call; more than that is no number of tokens."""
_MESSAGES: Final = Endpoint.MESSAGES
_WHOLE: Final = re.compile(rb"0|[1-9][0-9]{0,8}")
_INPUT, _CACHED, _WRITTEN, _LONG, _OUTPUT, _TOTAL, _ODD = range(7)
_NAMES: Final[Mapping[str, int]] = {
    "prompt_tokens": _INPUT,
    "prompt_tokens_details.cached_tokens": _CACHED,
    "prompt_tokens_details.cache_write_tokens": _WRITTEN,
    "prompt_tokens_details.audio_tokens": _ODD,
    "completion_tokens": _OUTPUT,
    "completion_tokens_details.audio_tokens": _ODD,
    "total_tokens": _TOTAL,
    "input_tokens": _INPUT,
    "input_tokens_details.cached_tokens": _CACHED,
    "input_tokens_details.cache_write_tokens": _WRITTEN,
    "output_tokens": _OUTPUT,
    "cache_read_input_tokens": _CACHED,
    "cache_creation_input_tokens": _WRITTEN,
    "cache_creation.ephemeral_1h_input_tokens": _LONG,
    "server_tool_use.web_search_requests": _ODD,
    "server_tool_use.web_fetch_requests": _ODD,
}
"""Reasoning is a part of the output everywhere. What is _ODD has a price of its own, and nobody could ask for it."""


def _places() -> Place:
    inner: dict[bytes, dict[bytes, Place]] = {}
    members: dict[bytes, Place] = {}
    for name in _NAMES:
        outer, _, last = name.encode("ascii").rpartition(b".")
        (inner.setdefault(outer, {}) if outer else members)[last] = KEPT
    for outer, names in inner.items():
        members[outer] = Place(members=names)
    return Place(members=members, other=UNREAD)


USAGE: Final = _places()
"""Where a `usage` stands."""


def _paths(prefix: str) -> tuple[tuple[str, str, int], ...]:
    return tuple((f"{prefix}.{name}", name, which) for name, which in _NAMES.items())


_PLAIN: Final = {name: which for name, which in _NAMES.items() if "." not in name}
_INNER: Final = {
    outer: {name.partition(".")[2]: which for name, which in _NAMES.items() if name.startswith(f"{outer}.")}
    for outer in {name.partition(".")[0] for name in _NAMES if "." in name}
}
_PATHS: Final = {prefix: _paths(prefix) for prefix in ("usage", "message.usage", "response.usage")}


class Read(NamedTuple):
    """What an answer said that it used. `doubt`: why that may be too little; empty where nothing speaks against it."""

    used: prices.Usage
    doubt: str = ""


class Counts:
    """The numbers of one call, as they come: once in a JSON body, several times and cumulative in a stream."""

    __slots__ = ("_counts", "_doubt", "_endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._counts: dict[int, int] = {}
        self._doubt = ""

    def doubt(self, why: str) -> None:
        """Remember the first reason to doubt."""
        self._doubt = self._doubt or why

    def forget(self) -> None:
        """Take back what `plain` took."""
        self._counts = {}

    def take(self, values: Mapping[str, Seen], prefix: str) -> None:
        """Take the numbers that stand below `prefix`; the largest of each one counts."""
        for path, name, which in _PATHS.get(prefix) or _paths(prefix):
            seen = values.get(path)
            if seen is None or seen.raw == b"null":
                continue
            if not _WHOLE.fullmatch(seen.raw) or int(seen.raw) > TOKENS_MAX:
                self.doubt(f"{name} is no number of tokens")
                continue
            number = int(seen.raw)
            if number < self._counts.get(which, 0):
                self.doubt(f"{name} got smaller")
            self._counts[which] = max(number, self._counts.get(which, 0))

    def plain(self, used: Mapping[str, object]) -> bool:
        """Take the numbers of one `usage` where they are as they should be; False: they are to be taken one by one."""
        counts: dict[int, int] = {}
        for name, value in used.items():
            which = _PLAIN.get(name)
            if which is not None:
                if value is not None and not _counted(counts, which, value):
                    return False
            elif name in _INNER:
                if isinstance(value, list):
                    return False
                for inner, number in value.items() if isinstance(value, dict) else ():
                    which = _INNER[name].get(inner)
                    if which is not None and number is not None and not _counted(counts, which, number):
                        return False
        self._counts = counts
        return True

    def read(self) -> Read:
        """Say what was used, as far as it was said."""
        counts = self._counts
        if not counts:
            self.doubt("no usage was said")
        elif not counts.get(_INPUT, 0) + counts.get(_CACHED, 0) + counts.get(_WRITTEN, 0):
            self.doubt("no input was said")
        elif not counts.get(_OUTPUT) and self._endpoint is not Endpoint.EMBEDDINGS:
            self.doubt("no output was said")
        if counts.get(_ODD):
            self.doubt("something was used that has a price of its own")
        used = self._apart() if self._endpoint is _MESSAGES else self._within()
        return Read(used, self._doubt)

    def _apart(self) -> prices.Usage:
        """Read Anthropic's numbers, where the input is what is left beside the cache."""
        get = self._counts.get
        long = get(_LONG, 0)
        if long > get(_WRITTEN, 0):
            self.doubt("more was written for an hour than was written")
        return prices.Usage(get(_INPUT, 0), get(_CACHED, 0), max(0, get(_WRITTEN, 0) - long), long, get(_OUTPUT, 0))

    def _within(self) -> prices.Usage:
        """Read OpenAI's numbers, where the input is all of it and there is a total."""
        get = self._counts.get
        said, output, cached, written = get(_INPUT, 0), get(_OUTPUT, 0), get(_CACHED, 0), get(_WRITTEN, 0)
        if cached + written > said:
            self.doubt("more was cached than went in")
        total = get(_TOTAL, said + output)
        if total < said + output:
            self.doubt("the total is less than its parts")
        # Where it is more, a provider left its reasoning out of the output.
        output += max(0, total - said - output)
        return prices.Usage(max(0, said - cached - written), cached, written, 0, output)


def _counted(counts: dict[int, int], which: int, number: object) -> bool:
    """Take a number of tokens that is one, and the only one of its sort."""
    if type(number) is not int or not 0 <= number <= TOKENS_MAX or which in counts:
        return False
    counts[which] = number
    return True
