"""The classes of values that are looked for, and what a find is."""

from enum import StrEnum
from typing import Final, NamedTuple

from zaum_api import documents


class Kind(StrEnum):
    """A class of values, by the name that stands in names: `<zaum:email:…>`."""

    CARD = "card"
    IBAN = "iban"
    EMAIL = "email"
    PHONE = "phone"
    CLOUD_KEY = "cloudkey"
    TOKEN = "token"  # noqa: S105  # a class of values


PRECEDENCE: Final = (Kind.TOKEN, Kind.CLOUD_KEY, Kind.IBAN, Kind.CARD, Kind.EMAIL, Kind.PHONE)
"""Where finds overlap, the class that comes first here has it."""


class Found(NamedTuple):
    """A value, by its offsets in the text that was searched."""

    start: int
    end: int
    kind: Kind


def actions(classes: documents.Classes) -> dict[Kind, documents.Redact]:
    """Give what becomes of each class that is not Off."""
    said = {
        Kind.CARD: classes.cards,
        Kind.IBAN: classes.iban,
        Kind.EMAIL: classes.email,
        Kind.PHONE: classes.phone,
        Kind.CLOUD_KEY: classes.cloud_keys,
        Kind.TOKEN: classes.tokens,
    }
    return {kind: action for kind, action in said.items() if action is not documents.Redact.OFF}
