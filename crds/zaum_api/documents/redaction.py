"""What of personal data and secrets may pass a route, and what becomes of the rest."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zaum_api.reading import DocumentError, Fields


class Redact(StrEnum):
    """What becomes of a value that is found."""

    MASK = "Mask"
    """Asterisks stand in its place."""
    TOKENISE = "Tokenise"
    """A name stands in its place, the same for the same value; what it stands for stays in the watchdog."""
    DENY = "Deny"
    """The message that holds it goes no further."""
    OFF = "Off"

    @staticmethod
    def read(value: object, place: str) -> "Redact":
        """Read it; an action that is not known is refused, never taken for Off."""
        if not isinstance(value, str) or value not in set(Redact):
            raise DocumentError(place, f"{value!r} is not known to this version")
        return Redact(value)


@dataclass(frozen=True, slots=True)
class Classes:
    """What becomes of each class of values, in one direction."""

    cards: Redact = Redact.OFF
    iban: Redact = Redact.OFF
    email: Redact = Redact.OFF
    phone: Redact = Redact.OFF
    cloud_keys: Redact = Redact.OFF
    tokens: Redact = Redact.OFF

    @property
    def active(self) -> bool:
        """Say whether anything is looked for."""
        actions = (self.cards, self.iban, self.email, self.phone, self.cloud_keys, self.tokens)
        return any(action is not Redact.OFF for action in actions)

    @staticmethod
    def read(value: object, place: str) -> "Classes":
        """Read them; each is said."""
        fields = Fields(value, place)
        classes = Classes(
            cards=fields.one("cards", Redact.read),
            iban=fields.one("iban", Redact.read),
            email=fields.one("email", Redact.read),
            phone=fields.one("phone", Redact.read),
            cloud_keys=fields.one("cloudKeys", Redact.read),
            tokens=fields.one("tokens", Redact.read),
        )
        fields.end()
        return classes

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "cards": self.cards.value,
            "iban": self.iban.value,
            "email": self.email.value,
            "phone": self.phone.value,
            "cloudKeys": self.cloud_keys.value,
            "tokens": self.tokens.value,
        }


@dataclass(frozen=True, slots=True)
class Redaction:
    """Both directions of a route. `restore`: names in requests are replaced by what they stand for, on this route."""

    request: Classes = Classes()
    response: Classes = Classes()
    restore: bool = False

    @property
    def active(self) -> bool:
        """Say whether bodies have to be read at all."""
        return self.request.active or self.response.active or self.restore

    @staticmethod
    def read(value: object, place: str) -> "Redaction":
        """Read it."""
        fields = Fields(value, place)
        redaction = Redaction(
            request=fields.one("request", Classes.read),
            response=fields.one("response", Classes.read),
            restore=fields.truth("restore"),
        )
        fields.end()
        return redaction

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"request": self.request.write(), "response": self.response.write(), "restore": self.restore}
