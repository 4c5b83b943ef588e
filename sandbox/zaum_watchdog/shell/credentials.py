"""Follow the routes' credentials: one file per route, in the watchdog alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_watchdog.core import echo, routes
from zaum_watchdog.shell import files

CREDENTIAL_MAX: Final = 8 * 1024
_MISSING: Final = "is not there"


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A key, and what is searched for in answers to it. Has no repr, because it is to stand in no log."""

    value: bytes
    searched: echo.Searched


class Credentials:
    """What can be injected now. `unusable` says by a route's name what is wrong with the one that it wants."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, tuple[str, files.Identity | None]] = {}
        self._found: dict[str, Credential] = {}
        self.unusable: dict[str, str] = {}

    def of(self, route: routes.Route) -> Credential | None:
        """Give the credential of a route that has a usable one, None for a route that wants none."""
        return self._found[route.name] if route.config.credential is not None else None

    def poll(self, known: Mapping[str, routes.Route]) -> list[str]:
        """Read again what was rotated; give the routes whose credential changed, also from or to unusable."""
        wanted = {name: one.file for name, route in known.items() if (one := route.config.credential) is not None}
        for name in self._seen.keys() - wanted.keys():
            del self._seen[name]
            self._found.pop(name, None)
            self.unusable.pop(name, None)
        return [name for name in sorted(wanted) if self._follow(name, wanted[name])]

    def _follow(self, name: str, file: str) -> bool:
        path = self._directory / name / file
        seen = file, files.identity(path)
        if seen == self._seen.get(name):
            return False
        self._seen[name] = seen
        value, problem = _read(path)
        if problem:
            self._found.pop(name, None)
            self.unusable[name] = problem
        else:
            self._found[name] = Credential(value, echo.Searched.of(value))
            self.unusable.pop(name, None)
        return True


def _read(path: Path) -> tuple[bytes, str]:
    """Give the key, or what is wrong with it in words that repeat nothing of it."""
    try:
        with path.open("rb") as opened:
            value = opened.read(CREDENTIAL_MAX + 2).removesuffix(b"\n").removesuffix(b"\r")
    except FileNotFoundError:
        return b"", _MISSING
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    if len(value) > CREDENTIAL_MAX:
        return b"", f"is longer than {CREDENTIAL_MAX} bytes"
    if len(value) < echo.CREDENTIAL_MIN:
        return b"", f"is shorter than {echo.CREDENTIAL_MIN} characters, so answers cannot be searched for it"
    if not all(0x21 <= byte <= 0x7E for byte in value):
        return b"", "holds other characters than visible ASCII"
    return value, ""
