"""Choose between what a policy says, the default and a ceiling's cap, and write down which of them it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from zaum_api import documents
from zaum_operator.core.ceiling import Cap
from zaum_operator.core.ceilings import Ceilings, Stated

_T = TypeVar("_T")
_VALUE_MAX: Final = 1024
NONE: Final = "none"


@dataclass(slots=True)
class Choice:
    """The choices made so far for one policy."""

    ceilings: Ceilings
    fields: list[documents.EffectiveField] = field(default_factory=list)

    def of(self, name: str, chosen: _T | None, default: _T) -> _T:
        """Choose and record what no ceiling speaks of."""
        value = default if chosen is None else chosen
        self.record(name, value, documents.Source.DEFAULT if chosen is None else documents.Source.POLICY)
        return value

    def capped(self, cap: Cap, chosen: int | None, default: int, write: Callable[[int], str] = str) -> int:
        """Choose, lower to the cap, and record; `write` gives the text of a value."""
        wanted, most = default if chosen is None else chosen, self.ceilings.cap(cap)
        if most is None or wanted <= most.value:
            source = documents.Source.DEFAULT if chosen is None else documents.Source.POLICY
            self.record(cap.value, write(wanted), source)
            return wanted
        return self._lowered(cap, most, write)

    def at_most(self, cap: Cap, chosen: int | None, write: Callable[[int], str]) -> int | None:
        """Choose a bound that may be absent: then the cap alone bounds it, or nothing does."""
        most = self.ceilings.cap(cap)
        if most is not None and (chosen is None or chosen > most.value):
            return self._lowered(cap, most, write)
        source = documents.Source.DEFAULT if chosen is None else documents.Source.POLICY
        self.record(cap.value, NONE if chosen is None else write(chosen), source)
        return chosen

    def denied(self, name: str, ceiling: str) -> None:
        """Record that a ceiling takes something away as a whole."""
        self.record(name, f"{NONE} (AgentCeiling {ceiling})", documents.Source.CEILING)

    def record(self, name: str, value: object, source: documents.Source) -> None:
        """Record a value."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        self.fields.append(documents.EffectiveField(name, text[:_VALUE_MAX], source))

    def _lowered(self, cap: Cap, most: Stated[int], write: Callable[[int], str]) -> int:
        self.record(cap.value, f"{write(most.value)} (AgentCeiling {most.ceiling})", documents.Source.CEILING)
        return most.value
