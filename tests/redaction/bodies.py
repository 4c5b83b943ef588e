"""Run a redactor over a body in pieces, as an exchange would."""

import itertools
import json
from collections.abc import Sequence
from random import Random

from zaum_api import documents
from zaum_watchdog.core.redaction import redactor, searching, vault

KEY = bytes(range(32))
MASK, TOKENISE, DENY, OFF = (
    documents.Redact.MASK,
    documents.Redact.TOKENISE,
    documents.Redact.DENY,
    documents.Redact.OFF,
)


def every(action: documents.Redact) -> documents.Classes:
    """Give the same action for each class."""
    return documents.Classes(*[action] * 6)


ASKING = redactor.request(documents.Redaction(request=every(TOKENISE)))
MASKING = redactor.request(documents.Redaction(request=every(MASK)))
ANSWERING = redactor.response(documents.Redaction(request=every(TOKENISE), response=every(TOKENISE)))
CLEARED = redactor.request(documents.Redaction(restore=True))


def written(text: bytes, form: redactor.Format, *, widest: int = 6) -> bytes:
    """Give a text as it is, in a JSON document, or as a model streams it, up to `widest` characters at a time."""
    match form:
        case redactor.Format.TEXT:
            return text
        case redactor.Format.JSON:
            return json.dumps({"content": text.decode()}).encode()
        case redactor.Format.EVENTS:
            return _events(text.decode(), Random(len(text)), widest)


def _events(text: str, dice: Random, widest: int) -> bytes:
    lines, at = [], 0
    while at < len(text):
        size = dice.randint(1, widest)
        delta = {"choices": [{"index": 0, "delta": {"content": text[at : at + size]}}]}
        lines.append(b"data: " + json.dumps(delta, ensure_ascii=dice.random() < 0.5).encode() + b"\n\n")
        at += size
    return b"".join((*lines, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'))


class Run:
    """One body through one redactor."""

    def __init__(
        self,
        prefilter: searching.Prefilter,
        plan: redactor.Plan = ASKING,
        form: redactor.Format = redactor.Format.TEXT,
        names: vault.Vault | None = None,
    ) -> None:
        self.redactor = redactor.Redactor(plan, form, names or vault.Vault(KEY), prefilter)

    def feed(self, piece: bytes) -> bytes:
        out = self.redactor.feed(piece)
        while self.redactor.behind:
            out += self.redactor.feed(b"")
        return out

    def over(self, body: bytes, cuts: Sequence[int] = ()) -> bytes:
        """Give what comes out of a body that is cut at some offsets."""
        edges = [0, *cuts, len(body)]
        out = b"".join(self.feed(body[start:end]) for start, end in itertools.pairwise(edges))
        return out + self.redactor.end()
