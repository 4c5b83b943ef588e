"""`status.effective`: the operator's word on what is enforced, which people and the authorizer read."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from zaum_api.documents.egress import HostRule
from zaum_api.documents.mode import Mode
from zaum_api.documents.routes import ROUTES_MAX
from zaum_api.reading import DocumentError, Fields

_V1: Final = "v1"
EFFECTIVE_VERSION: Final = "v2"
"""The newest, and the one that is written."""
EFFECTIVE_VERSIONS: Final = (_V1, EFFECTIVE_VERSION)
"""The versions that are read: the one before the newest too, because an authorizer may be upgraded before the operator
has written each status again. v1 has neither mode nor routes."""
EFFECTIVE_FIELDS_MAX: Final = 128


class Source(StrEnum):
    """Where an effective value comes from."""

    POLICY = "Policy"
    DEFAULT = "Default"
    CEILING = "Ceiling"


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """One value in force, for people: the spec's field, the value as text, its source."""

    field: str
    value: str
    source: Source

    @staticmethod
    def read(value: object, place: str) -> "EffectiveField":
        """Read one field."""
        fields = Fields(value, place)
        name, text, source = fields.text("field"), fields.text("value", empty=True), fields.text("source")
        fields.end()
        if source not in set(Source):
            raise DocumentError(f"{place}.source", f"{source!r} is not known to this version")
        return EffectiveField(field=name, value=text, source=Source(source))


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """Where one route leads: what the watchdog, and nobody else in the pod, asks the gateway for.

    `service`: the host is a Service of the cluster, `<name>.<namespace>.svc.<cluster domain>`.
    """

    name: str
    host: str
    port: int
    service: bool = False

    @staticmethod
    def read(value: object, place: str) -> "EffectiveRoute":
        """Read one route."""
        fields = Fields(value, place)
        route = EffectiveRoute(
            name=fields.text("name"),
            host=fields.text("host"),
            port=fields.whole("port", least=1, most=65535),
            service=fields.truth("service"),
        )
        fields.end()
        return route

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"name": self.name, "host": self.host, "port": self.port, "service": self.service}


@dataclass(frozen=True, slots=True)
class Effective:
    """`status.effective` of a policy: what is enforced. Written by the operator alone, trusted by the authorizer."""

    hosts: tuple[HostRule, ...]
    fields: tuple[EffectiveField, ...] = field(default=())
    mode: Mode = Mode.ENFORCE
    routes: tuple[EffectiveRoute, ...] = ()

    @staticmethod
    def read(value: object) -> "Effective":
        """Read the status field; raise DocumentError for anything but a whole, known one."""
        fields = Fields(value, "status.effective")
        version = fields.text("documentVersion")
        if version not in EFFECTIVE_VERSIONS:
            known = " and ".join(EFFECTIVE_VERSIONS)
            raise DocumentError("status.effective.documentVersion", f"is {version!r}; this version reads {known}")
        effective = Effective(
            hosts=fields.items("hosts", HostRule.read, most=256),
            fields=fields.items("fields", EffectiveField.read, most=EFFECTIVE_FIELDS_MAX),
            mode=Mode.ENFORCE if version == _V1 else fields.one("mode", Mode.read),
            routes=() if version == _V1 else fields.items("routes", EffectiveRoute.read, most=ROUTES_MAX),
        )
        fields.end()
        return effective

    def write(self) -> dict[str, Any]:
        """Give the JSON shape for the status."""
        return {
            "documentVersion": EFFECTIVE_VERSION,
            "mode": self.mode.value,
            "hosts": [rule.write() for rule in self.hosts],
            "routes": [route.write() for route in self.routes],
            "fields": [{"field": item.field, "value": item.value, "source": item.source.value} for item in self.fields],
        }
