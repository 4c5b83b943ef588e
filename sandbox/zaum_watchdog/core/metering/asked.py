"""Read what a request asks of a model: which one, how much it may say, and how much there is to read.

The body is held until it is read, because nothing of it may leave before its worst case is reserved. It leaves as it
came, but for the few bytes that say how much may be answered, and that a stream is to tell its usage.
"""

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract
from zaum_watchdog.core.metering import anthropic_shapes, judging, openai_shapes, places, plain, splicing, walking
from zaum_watchdog.core.metering.endpoints import Endpoint
from zaum_watchdog.core.metering.places import KEPT, Place, Seen

CHOICES_MAX: Final = 128
OUTPUT_MAX: Final = 100_000_000
"""Tokens; whoever asks for more asks for no number of tokens."""
MODEL_MAX: Final = 256
"""Characters of a model's name."""
JOINED_MAX: Final = 4096
"""Bytes up to which pieces are joined: each one costs more than its bytes."""
RESPONSES_LEAST: Final = 16
"""What OpenAI's responses may be told at least."""
_WHOLE: Final = re.compile(rb"0|[1-9][0-9]{0,8}")
_NULL: Final = b"null"
_SHAPES: Final[Mapping[Endpoint, Place]] = {
    Endpoint.CHAT: openai_shapes.CHAT,
    Endpoint.RESPONSES: openai_shapes.RESPONSES,
    Endpoint.EMBEDDINGS: openai_shapes.EMBEDDINGS,
    Endpoint.MESSAGES: anthropic_shapes.MESSAGES,
}
_OUTPUT: Final[Mapping[Endpoint, tuple[str, ...]]] = {
    Endpoint.CHAT: ("max_completion_tokens", "max_tokens"),
    Endpoint.RESPONSES: ("max_output_tokens",),
    Endpoint.EMBEDDINGS: (),
    Endpoint.MESSAGES: ("max_tokens",),
}
"""What says how long one answer may get; the first one goes in where none is there."""
_FIRST: Final[Mapping[Endpoint, bytes]] = {
    endpoint: b'"%b":' % names[0].encode("ascii") for endpoint, names in _OUTPUT.items() if names
}
_MODEL_ALONE: Final = Place(members={b"model": KEPT, b"stream": KEPT})
_USAGE: Final = b'"include_usage":true'
_BUDGET: Final = "thinking.budget_tokens"
_LAST: Final = frozenset({b"}", b" ", b"\n", b"\r", b"\t"})
_STREAM: Final = frozenset({b"true", b"false", _NULL})
_DECODER: Final = codecs.getincrementaldecoder("utf-8")


def _rooted(shape: Place) -> Place:
    """Want the place where the document itself stands, too."""
    return Place(kept=True, members=shape.members, other=shape.other)


_ROOTS: Final = {endpoint: _rooted(shape) for endpoint, shape in _SHAPES.items()}
_ROOT_ALONE: Final = _rooted(_MODEL_ALONE)
_PLAIN: Final = {endpoint: plain.Shape(shape, _OUTPUT[endpoint]) for endpoint, shape in _SHAPES.items()}
_PLAIN_ALONE: Final = plain.Shape(_MODEL_ALONE, ())


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not sent: by which rule, which field of it (empty: all of it), and why."""

    rule: contract.Rule
    field: str
    text: str

    @property
    def message(self) -> str:
        """Say it in one sentence."""
        return f"the request's {self.field} {self.text}" if self.field else f"of the request's body: {self.text}"


@dataclass(slots=True)
class Asked:
    """A request to a model, of `size` bytes.

    `output`: tokens of each answer that it asks for, None where it does not say; `least`: fewer than these the provider
    would not take. `images` stand in the request itself, and are `image_bytes` of its size.
    """

    endpoint: Endpoint
    model: str
    size: int
    stream: bool = False
    choices: int = 1
    output: int | None = None
    least: int = 1
    images: int = 0
    image_bytes: int = 0
    long_cache: bool = False
    options: int = 0
    values: Mapping[str, Seen] = field(default_factory=dict)

    def edits(self, output: int | None) -> list[splicing.Edit]:
        """Say what to change, so that no answer gets longer than `output` tokens and a stream tells its usage.

        None: however long it gets.
        """
        lengths = self._lengths(output) if output is not None else []
        return lengths + self._options() if self.stream else lengths

    def _lengths(self, output: int) -> list[splicing.Edit]:
        names = _OUTPUT[self.endpoint]
        if names and self.output is None and self.values.keys().isdisjoint(names):
            return [self._member(_FIRST[self.endpoint] + b"%d" % output)]
        there = [self.values[name] for name in names if name in self.values]
        said = [seen for seen in there if seen.raw != _NULL]
        number = b"%d" % output
        if said:
            return [splicing.Edit(seen.start, seen.end, number) for seen in said if int(seen.raw) > output]
        if there:
            return [splicing.Edit(there[0].start, there[0].end, number)]
        return []

    def _options(self) -> list[splicing.Edit]:
        if self.endpoint is not Endpoint.CHAT:
            return []
        there, said = self.values.get("stream_options"), self.values.get("stream_options.include_usage")
        if said is not None:
            return [] if said.raw == b"true" else [splicing.Edit(said.start, said.end, b"true")]
        if there is None:
            return [self._member(b'"stream_options":{%b}' % _USAGE)]
        if there.raw == _NULL:
            return [splicing.Edit(there.start, there.end, b"{%b}" % _USAGE)]
        comma = b"," if self.options else b""
        return [splicing.Edit(there.start + 1, there.start + 1, _USAGE + comma)]

    def _member(self, text: bytes) -> splicing.Edit:
        """Put a member first: there is another one behind it, the model."""
        start = self.values[""].start + 1
        return splicing.Edit(start, start, text + b",")


class Reading:
    """One request's body, as it arrives. `models`: those that may be asked, empty for any.

    `priced`: tokens or cost are limited, so that nothing may be in it that cannot be priced. `keep`: the pieces of
    what is refused are kept, too.
    """

    __slots__ = (
        "_decoder", "_endpoint", "_keep", "_models", "_plain", "_priced", "_walker", "pieces", "refused", "size",
    )  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, *, models: frozenset[str] = frozenset(), priced: bool = True, keep: bool = False
    ) -> None:
        self._endpoint = endpoint
        self._keep = keep
        self._models = models
        self._priced = priced
        self._plain: plain.Plain | None = None
        self._walker: walking.Walker | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        """None while all was ASCII."""
        self.pieces: list[bytes] = []
        """What was looked at, to be sent on."""
        self.size = 0
        self.refused: Refused | None = None

    def feed(self, data: bytes, at: int = 0) -> int:
        """Look at `data` from `at` on; give the place up to which it was: the rest is to be fed again."""
        if self.refused is not None:
            if self._keep:
                self._hold(data[at:])
            return len(data)
        walker = self._walker
        if walker is None:
            if not at and not self.pieces and self._at_once(data):
                return len(data)
            walker = self._walk()
        until = walker.feed(data, at)
        piece = data[at:until] if at or until < len(data) else data
        self._hold(piece)
        self._decode(piece, final=False)
        if walker.problem is not None and self.refused is None:
            self._refuse(walker.problem)
        return len(data) if self._over else until

    def _at_once(self, data: bytes) -> bool:
        """Read a small body where nothing of it is out of the ordinary; False: it is to be walked through."""
        shape = _PLAIN[self._endpoint] if self._priced else _PLAIN_ALONE
        self._plain = shape.read(data) if data[-1:] in _LAST else None
        if self._plain is None:
            return False
        self.pieces.append(data)
        self.size = len(data)
        return True

    def _walk(self) -> walking.Walker:
        """Begin anew, by steps, with what was read at once."""
        walker = self._walker = walking.Walker(_ROOTS[self._endpoint] if self._priced else _ROOT_ALONE)
        self._plain = None
        for piece in self.pieces:
            at = 0
            while at < len(piece):
                at = walker.feed(piece, at)
            self._decode(piece, final=False)
        return walker

    @property
    def _over(self) -> bool:
        """Say whether nothing more is to be looked at, or kept."""
        return self.refused is not None and not self._keep

    def _hold(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.pieces and len(self.pieces[-1]) + len(piece) <= JOINED_MAX:
            self.pieces[-1] += piece
        else:
            self.pieces.append(piece)

    def end(self) -> Asked | Refused:
        """Take the body's end."""
        if self._plain is not None:
            found = _plainly(self._endpoint, self._plain, self._models, self.size)
            if found is not None:
                return found
        walker = self._walker or self._walk()
        walker.end()
        if self.refused is None and walker.problem is not None:
            self._refuse(walker.problem)
        if self.refused is None:
            self._decode(b"", final=True)
        return self.refused or self._asked(walker)

    def _decode(self, piece: bytes, *, final: bool) -> None:
        if self._decoder is None:
            if piece.isascii():
                return
            self._decoder = _DECODER()
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            self._refuse(places.Problem("", "it is not UTF-8"))

    def _refuse(self, problem: places.Problem) -> None:
        rule = contract.Rule.UNPRICED if problem.placed else contract.Rule.REQUEST_MALFORMED
        self.refused = Refused(rule, problem.field, problem.text)
        if not self._keep:
            self.pieces.clear()

    def _asked(self, walker: walking.Walker) -> Asked | Refused:
        values, tallies = walker.values, walker.tallies
        model = self._model(values.get("model"))
        if isinstance(model, Refused):
            return model
        output: int | Refused | None = None
        for name in _OUTPUT[self._endpoint]:
            if name in values:
                # The largest of what is said: which one counts where two are is the provider's matter.
                output = _larger(output, _number(values, name, OUTPUT_MAX))
        choices = _number(values, "n", CHOICES_MAX) if "n" in values else None
        budget = _number(values, _BUDGET, OUTPUT_MAX) if _BUDGET in values else None
        if isinstance(output, Refused):
            return output
        if isinstance(choices, Refused):
            return choices
        if isinstance(budget, Refused):
            return budget
        stream = values["stream"].raw if "stream" in values else b"false"
        if stream not in _STREAM:
            return Refused(contract.Rule.REQUEST_MALFORMED, "stream", "is neither true nor false")
        least = _least(self._endpoint, budget or 0)
        asked = Asked(self._endpoint, model, self.size, stream == b"true", choices or 1, output, least, values=values)
        if tallies:
            asked.images = tallies.get(judging.IMAGES, 0)
            asked.image_bytes = tallies.get(judging.IMAGE_BYTES, 0)
            asked.long_cache = judging.LONG_CACHE in tallies
            asked.options = tallies.get(judging.OPTIONS, 0)
        return asked

    def _model(self, seen: Seen | None) -> str | Refused:
        if seen is None or seen.raw[:1] != b'"' or not seen.whole:
            return Refused(contract.Rule.REQUEST_MALFORMED, "model", "is missing, or is no name")
        model = str(json.loads(seen.raw)) if b"\\" in seen.raw else seen.raw[1:-1].decode("utf-8")
        if not model.isprintable() or not 0 < len(model) <= MODEL_MAX:
            return Refused(contract.Rule.REQUEST_MALFORMED, "model", "is missing, or is no name")
        if self._models and model not in self._models:
            names = ", ".join(sorted(self._models))
            return Refused(contract.Rule.MODEL_NOT_ALLOWED, "model", f"is {model}; the route has: {names}")
        return model


def at_once(endpoint: Endpoint, body: bytes, models: frozenset[str]) -> Asked | None:
    """Read all of a body that is to be priced, where nothing is out of the ordinary; None: it is for `Reading`."""
    said = _PLAIN[endpoint].read(body) if body[-1:] in _LAST else None
    return _plainly(endpoint, said, models, len(body)) if said is not None else None


def _plainly(endpoint: Endpoint, said: plain.Plain, models: frozenset[str], size: int) -> Asked | None:
    """Say what is asked for; None: it is to be read again, and refused."""
    numbers, model = said.numbers, said.model
    choices = numbers.get("n", 1)
    if choices > CHOICES_MAX or not model or not model.isprintable():
        return None
    if models and model not in models:
        return None
    output: int | None = None
    for name in _OUTPUT[endpoint]:
        if name in numbers and (output is None or numbers[name] > output):
            output = numbers[name]
    return Asked(
        endpoint, model, size, said.stream, choices or 1, output, _least(endpoint, 0), options=said.options,
        values=said.values,
    )  # fmt: skip


def _least(endpoint: Endpoint, budget: int) -> int:
    return RESPONSES_LEAST if endpoint is Endpoint.RESPONSES else budget + 1


def _number(values: Mapping[str, Seen], name: str, most: int) -> int | Refused | None:
    raw = values[name].raw
    if raw == _NULL:
        return None
    number = int(raw) if _WHOLE.fullmatch(raw) else -1
    if not 0 <= number <= most:
        return Refused(contract.Rule.REQUEST_MALFORMED, name, f"is no whole number from 0 to {most}")
    return number


def _larger(one: int | Refused | None, other: int | Refused | None) -> int | Refused | None:
    """Give the larger number, or what is wrong with one of them."""
    if one is None or isinstance(other, Refused):
        return other if one is None or not isinstance(one, Refused) else one
    if other is None or isinstance(one, Refused):
        return one
    return max(one, other)
