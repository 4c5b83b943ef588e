"""`status.effective`: the operator's word on what is enforced, which people and the authorizer read."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from zaum_api.documents.egress import HostRule
from zaum_api.reading import DocumentError, Fields

EFFECTIVE_VERSION: Final = "v1"
"""The newest, and the one that is written."""
EFFECTIVE_VERSIONS: Final = (EFFECTIVE_VERSION,)
"""The versions that are read: once there is a newer one, the one before it stays here, because an authorizer may be
upgraded before the operator has written each status again."""
EFFECTIVE_FIELDS_MAX: Final = 64


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
class Effective:
    """`status.effective` of a policy: what is enforced. Written by the operator alone, trusted by the authorizer."""

    hosts: tuple[HostRule, ...]
    fields: tuple[EffectiveField, ...] = field(default=())

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
        )
        fields.end()
        return effective

    def write(self) -> dict[str, Any]:
        """Give the JSON shape for the status."""
        return {
            "documentVersion": EFFECTIVE_VERSION,
            "hosts": [rule.write() for rule in self.hosts],
            "fields": [{"field": item.field, "value": item.value, "source": item.source.value} for item in self.fields],
        }
