"""HTTP APIs that the watchdog terminates: where each one is, what may be asked, which credential goes in."""

import re
from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, reading
from zaum_api.documents import prices as prices_of
from zaum_api.documents.prices import Price
from zaum_api.documents.redaction import Redaction
from zaum_api.reading import DocumentError, Fields

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
APIS: Final = frozenset({"HTTP", "OpenAI", "Anthropic"})
ROUTES_MAX: Final = 32
_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_PATH: Final = re.compile(r"/[!-~]*")
_HEADER: Final = re.compile(r"[a-z0-9-]{1,64}")
_FILE: Final = re.compile(r"[a-z0-9]{1,64}")
_PREFIX: Final = re.compile(r"[ -~]{0,32}")


@dataclass(frozen=True, slots=True)
class Credential:
    """How a credential goes into a request: header name in lower case, and what stands before the key in it.

    `file` in the route's folder holds the key; a pod that has another Secret mounted there has no such file.
    """

    header: str
    prefix: str
    file: str = contract.CREDENTIAL_FILE

    @staticmethod
    def read(value: object, place: str) -> "Credential":
        """Read it."""
        fields = Fields(value, place)
        credential = Credential(
            header=fields.text("header"), prefix=fields.text("prefix", empty=True), file=fields.text("file")
        )
        fields.end()
        if not _HEADER.fullmatch(credential.header):
            raise DocumentError(f"{place}.header", "must be a header's name in lower case")
        if not _PREFIX.fullmatch(credential.prefix):
            raise DocumentError(f"{place}.prefix", "must be at most 32 printable ASCII characters")
        if not _FILE.fullmatch(credential.file):
            raise DocumentError(f"{place}.file", "must be 1 to 64 lower-case letters and digits")
        return credential

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"header": self.header, "prefix": self.prefix, "file": self.file}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Methods, and a path below the route's base: exact, or everything below it where it ends in `/*`."""

    methods: tuple[str, ...]
    path: str

    @staticmethod
    def read(value: object, place: str) -> "Allowed":
        """Read it."""
        fields = Fields(value, place)
        allowed = Allowed(methods=fields.items("methods", reading.text, most=len(METHODS)), path=fields.text("path"))
        fields.end()
        if not allowed.methods or not METHODS.issuperset(allowed.methods):
            raise DocumentError(f"{place}.methods", f"must be some of {sorted(METHODS)}")
        if not _PATH.fullmatch(allowed.path):
            raise DocumentError(f"{place}.path", "must begin with / and hold visible ASCII characters")
        return allowed

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"methods": list(self.methods), "path": self.path}


@dataclass(frozen=True, slots=True)
class Route:
    """One API. `host` and `port` are what the gateway is asked for; `base` has no slash at its end, and may be empty.

    `tls` False: plain HTTP to a Service of the cluster, `service` True; the hop to the gateway is TLS then.
    """

    name: str
    host: str
    port: int
    base: str
    allow: tuple[Allowed, ...]
    credential: Credential | None = None
    tls: bool = True
    service: bool = False
    api: str = "HTTP"
    models: tuple[str, ...] = ()
    """Those that may be asked for; empty: any."""
    prices: tuple[Price, ...] = ()
    """From here on: v4 of the config alone. They go before those of the installation's table."""
    redact: Redaction | None = None
    """None: bodies pass as they are."""

    @staticmethod
    def read(value: object, place: str) -> "Route":
        """Read one route as v3 of the config has it."""
        return Route._read(Fields(value, place), place, later=False)

    @staticmethod
    def read_metered(value: object, place: str) -> "Route":
        """Read one route as v4 of the config has it."""
        return Route._read(Fields(value, place), place, later=True)

    @staticmethod
    def _read(fields: Fields, place: str, *, later: bool) -> "Route":
        route = Route(
            name=fields.text("name"),
            host=fields.text("host"),
            port=fields.whole("port", least=1, most=65535),
            base=fields.text("base", empty=True),
            allow=fields.items("allow", Allowed.read, most=32),
            credential=fields.maybe("credential", Credential.read),
            tls=fields.truth("tls"),
            service=fields.truth("service"),
            api=fields.text("api"),
            models=fields.items("models", reading.text, most=64),
            prices=fields.items("prices", Price.read, most=prices_of.ROUTE_PRICES_MAX) if later else (),
            redact=fields.maybe("redact", Redaction.read) if later else None,
        )
        fields.end()
        _consistent(route, place)
        return route

    def write(self, *, later: bool = False) -> dict[str, Any]:
        """Give the JSON shape; `later`: that of v4 of the config."""
        beyond = {
            "prices": [price.write() for price in self.prices],
            "redact": self.redact and self.redact.write(),
        }
        return {
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "base": self.base,
            "allow": [item.write() for item in self.allow],
            "credential": self.credential and self.credential.write(),
            "tls": self.tls,
            "service": self.service,
            "api": self.api,
            "models": list(self.models),
            **(beyond if later else {}),
        }


def _consistent(route: Route, place: str) -> None:
    if not _NAME.fullmatch(route.name):
        raise DocumentError(f"{place}.name", "must be a lower-case name of at most 32 characters")
    if route.base and (not _PATH.fullmatch(route.base) or route.base.endswith("/")):
        raise DocumentError(f"{place}.base", "must be empty, or begin with / and not end with it")
    if route.api not in APIS:
        raise DocumentError(f"{place}.api", f"{route.api!r} is not known to this version")
    if (route.models or route.prices) and route.api not in prices_of.PRICED_APIS:
        raise DocumentError(f"{place}.models", f"nothing is known of models of the api {route.api}")
    prices_of.once(route.prices, f"{place}.prices")
    if not route.tls and not route.service:
        raise DocumentError(f"{place}.tls", "plain HTTP is for Services of the cluster alone")
