"""Which taints a toleration tolerates (core/v1 Toleration), and whether a granted one covers one that is asked for."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Toleration:
    """One toleration with Kubernetes' defaults filled in. An empty key means any key, an empty effect any effect."""

    key: str
    exists: bool
    """Whether any value is tolerated; else `value` alone."""
    value: str
    effect: str
    seconds: int | None
    """How long a NoExecute taint is tolerated; None: for ever."""

    @property
    def text(self) -> str:
        """Name it for people."""
        what = self.key or "every key"
        return f"{what}{'' if self.exists else f'={self.value}'}{f':{self.effect}' if self.effect else ''}"


def read(raw: dict[str, Any]) -> Toleration:
    """Read one toleration in Kubernetes' spelling."""
    exists = raw.get("operator") == "Exists"
    return Toleration(
        key=raw.get("key") or "",
        exists=exists,
        value="" if exists else raw.get("value") or "",
        effect=raw.get("effect") or "",
        seconds=raw.get("tolerationSeconds"),
    )


def write(toleration: Toleration) -> dict[str, Any]:
    """Give the one spelling that we write."""
    spelled: dict[str, Any] = {
        "key": toleration.key or None,
        "operator": "Exists" if toleration.exists else "Equal",
        "value": None if toleration.exists else toleration.value,
        "effect": toleration.effect or None,
        "tolerationSeconds": toleration.seconds,
    }
    return {key: value for key, value in spelled.items() if value is not None}


def covers(granted: Toleration, asked: Toleration) -> bool:
    """Say whether every taint that `asked` tolerates is tolerated by `granted`, and for no longer."""
    key = granted.key == asked.key or (not granted.key and granted.exists)
    value = granted.exists or (not asked.exists and granted.value == asked.value)
    effect = not granted.effect or granted.effect == asked.effect
    return key and value and effect and _no_longer(granted.seconds, asked.seconds)


def _no_longer(granted: int | None, asked: int | None) -> bool:
    return granted is None or (asked is not None and asked <= granted)
