"""Other programs' words, taken into our messages without line breaks, without control characters, and not at length."""

from typing import Final

from zaum_operator.core.pods import Ending

QUOTED_MAX: Final = 300


def quoted(text: str) -> str:
    """Quote a text that somebody else wrote."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= QUOTED_MAX else f"{clean[:QUOTED_MAX]}…"


def because(why: str) -> str:
    """Give the reason as the end of a sentence; nothing when there is none."""
    return f": {why}" if why else ""


def ending(found: Ending | None) -> str:
    """Say how an agent ended: `with exit code 3 (Error)`, `before it ran (Evicted disk)`."""
    said = " ".join(part for part in ((found.reason, found.message) if found else ()) if part)
    code = found.exit_code if found else None
    how = f"with exit code {code}" if code is not None else "before it ran"
    return f"{how}{f' ({quoted(said)})' if said else ''}"
