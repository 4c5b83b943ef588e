"""Bodies that are meant to hold the loop up, and how long one call takes at most on each."""

import base64
import itertools
import json
import time
from random import Random
from typing import Final, NamedTuple

from tests.redaction import bodies
from zaum_watchdog.core.redaction import redactor, searching, vault

TEXT, JSON, EVENTS = redactor.Format.TEXT, redactor.Format.JSON, redactor.Format.EVENTS
_PIECE: Final = 64 * 1024
_PROSE: Final = "The quick brown fox jumps over the lazy dog; and then it says: hello world to everybody in there. "


class Measured(NamedTuple):
    """CPU seconds."""

    worst: float
    total: float


def _event(text: str, index: int = 0) -> bytes:
    return b'data: {"id":"x","choices":[{"index":%d,"delta":{"content":%s},"finish_reason":null}]}\n\n' % (
        index,
        json.dumps(text).encode(),
    )


def _pem(dice: Random) -> bytes:
    lines = b"\n".join(base64.b64encode(dice.randbytes(48)) for _ in range(24))
    return b"-----BEGIN PRIVATE KEY-----\n" + lines + b"\n-----END PRIVATE KEY-----\n"


def cases(size: int) -> dict[str, tuple[redactor.Format, bytes]]:
    """Give each body by its name, about as long as asked."""
    dice = Random(7)

    def filled(unit: bytes) -> bytes:
        return unit * (size // len(unit) + 1)

    def of(unit: str) -> bytes:
        return json.dumps({"messages": [{"role": "user", "content": unit * (size // len(unit) + 1)}]}).encode()

    words = [_event(word) for word in (" the", " fox", " bob", "@ex", "4111", " 12")]
    return {
        "prose": (JSON, of(_PROSE * 20 + "\n\n")),
        "code": (JSON, of("def f(x):\n    return \"a\" + 'b'\n")),
        "vectors": (JSON, json.dumps([dice.random() for _ in range(size // 21)]).encode()),
        "base64": (JSON, b'{"i":"' + base64.b64encode(dice.randbytes(size * 3 // 4)) + b'"}'),
        "emails": (JSON, json.dumps([f"user{each}@example.com" for each in range(size // 24)]).encode()),
        "phones": (TEXT, filled(b"+49 170 1234567, (212) 555-0123\n")),
        "groups of digits": (TEXT, filled(b"4111 ")),
        "single digits": (TEXT, filled(b"1 ")),
        "digits": (TEXT, filled(b"4")),
        "at signs": (TEXT, filled(b"@")),
        "addresses without end": (TEXT, b"a@" + filled(b"a.")),
        "addresses in a row": (TEXT, filled(b"a@a.")),
        "backslashes": (JSON, filled(b"\\")),
        "escapes": (JSON, filled(b"\\n")),
        "escaped letters": (JSON, filled(b"\\u0040")),
        "escaped digits": (JSON, filled(b"\\u0034")),
        "no-break spaces": (TEXT, filled(b"\xc2\xa0")),
        "beginnings of keys": (TEXT, filled(b"-----BEGIN PRIVATE KEY-----")),
        "keys": (TEXT, filled(_pem(dice))),
        "a key without end": (TEXT, b"-----BEGIN PRIVATE KEY-----\n" + filled(b"QUJDREVG")),
        "keys that break off": (TEXT, filled(b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 16300 + b"!")),
        "heads of tokens": (TEXT, filled(b"eyJhbGciOiJI.eyJ.")),
        "prefixes of tokens": (TEXT, filled(b"sk-")),
        "names of secrets": (TEXT, filled(b"secret_access_key=")),
        "beginnings of names": (TEXT, filled(b"<zaum:card:")),
        "ibans of a wrong sum": (TEXT, filled(b"DE89 3704 0044 0532 0130 01 ")),
        "trunk zeros": (TEXT, filled(b"030-12 ")),
        "brackets": (TEXT, filled(b"+1(1)")),
        "capitals": (TEXT, filled(b"ABCD ")),
        "events": (EVENTS, b"".join(dice.choice(words) for _ in range(size // 88))),
        "small events": (EVENTS, filled(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')),
        "events of nothing": (EVENTS, filled(b"data:\n")),
        "empty lines": (EVENTS, filled(b"\n")),
        "a line without end": (EVENTS, b'data: {"x":"' + filled(b"a")),
        "events of escapes": (
            EVENTS,
            filled(b'data: {"type":"content_block_delta","index":0,"delta":{"text":"' + b"\\n" * 3900 + b'"}}\n\n'),
        ),
        "events of many texts": (EVENTS, b"".join(_event("bob", each % 200) for each in range(size // 92))),
    }


def measured(prefilter: searching.Prefilter, form: redactor.Format, body: bytes) -> Measured:
    """Feed a body, and measure each call."""
    one = redactor.Redactor(bodies.ASKING, form, vault.Vault(bodies.KEY), prefilter)
    took: list[float] = []
    for at in range(0, len(body), _PIECE):
        piece = body[at : at + _PIECE]
        for turn in itertools.count():
            began = time.thread_time()
            one.feed(b"" if turn else piece)
            took.append(time.thread_time() - began)
            if not one.behind:
                break
    began = time.thread_time()
    one.end()
    took.append(time.thread_time() - began)
    return Measured(max(took), sum(took))
