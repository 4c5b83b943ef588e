"""What may stand in a request that is to be priced: the pieces of which the shapes of requests are made."""

from collections.abc import Mapping
from typing import Final

from zaum_watchdog.core.metering import places
from zaum_watchdog.core.metering.places import Judge, Place, Seen, Tallies

UNKNOWN: Final = "is not known to this version, and so what it costs is not either"
UNPRICED: Final = "costs what cannot be told before the call"
STORED: Final = "refers to what is stored at the provider, and so its size cannot be told"
IMAGES: Final = "images"
"""Tally: images that stand in the request itself."""
IMAGE_BYTES: Final = "image bytes"
"""Tally: bytes of the request that are such images, and no text."""
LONG_CACHE: Final = "long cache"
"""Tally: breakpoints whose cache entries live for an hour, and cost more to write."""
OPTIONS: Final = "stream options"
"""Tally: members of `stream_options`."""

REFUSED: Final = Place(refused=UNPRICED)
FROM_STORE: Final = Place(refused=STORED)


def _fine(_seen: Seen, _tallies: Tallies) -> str:
    return ""


NOTED: Final = Place(judge=_fine)
"""A value that an object's check asks for; no object and no list."""


def one_of(*values: str, why: str = UNPRICED) -> Place:
    """Let these strings stand here, spelt without escapes, and null."""
    fine = {b'"%b"' % value.encode("ascii") for value in values} | {b"null"}

    def judge(seen: Seen, _tallies: Tallies) -> str:
        return "" if seen.raw in fine else f"is {said(seen)}, which {why}"

    return Place(judge=judge)


def said(seen: Seen) -> str:
    """Quote a value in a message: at most 64 characters of printable ASCII."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in seen.raw[:64].decode("latin-1"))


def typed(check: places.Check | None = None) -> places.Check:
    """Ask that an object says its `type`, by which alone it is known; and then whatever `check` asks."""

    def checked(seen: Mapping[bytes, Seen], tallies: Tallies) -> str:
        if seen.get(b"type", places.NOTHING).raw in {b"", b"null"}:
            return "does not say its type"
        return check(seen, tallies) if check is not None else ""

    return checked


_INLINE: Final = (b'"data:image/', b'"data:image\\/')


def _image(seen: Seen, tallies: Tallies) -> str:
    if seen.raw == b"null":
        return ""
    if not seen.raw.startswith(_INLINE):
        return "is no data:image/ URL; the size of what stands elsewhere cannot be told"
    tallies[IMAGES] += 1
    tallies[IMAGE_BYTES] += seen.end - seen.start
    return ""


INLINE_IMAGE: Final[Judge] = _image
"""An image in the request itself, as a data URL."""
