"""Events about an Incident: one for each step that was confirmed, on the Incident. Its name makes it one for ever."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.containment import record
from zaum_operator.core.containment.incident import Incident
from zaum_operator.core.kinds import Object

_MESSAGE_MAX: Final = 1024
_WARNS: Final = frozenset({"Cut", "Killed", "Quarantined"})


def events(incident: Incident, status: Mapping[str, Any], *, now: datetime) -> tuple[Object, ...]:
    """Give an event for each moment that the status adds to the timeline."""
    return tuple(_event(incident, item, now=now) for item in record.news(incident, status))


def _event(incident: Incident, item: Mapping[str, Any], *, now: datetime) -> Object:
    step, at = str(item["step"]), f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.name,
        "metadata": {"name": f"{incident.name}.{step.lower()}", "namespace": incident.key.namespace},
        "involvedObject": {
            "apiVersion": contract.API_VERSION,
            "kind": contract.KIND_INCIDENT,
            "name": incident.name,
            "namespace": incident.key.namespace,
            "uid": incident.uid,
        },
        "type": "Warning" if step in _WARNS else "Normal",
        "reason": step,
        "message": f"{incident.reason} of {incident.key.name}: {item['confirmedBy']}"[:_MESSAGE_MAX],
        "action": incident.action.value,
        "reportingComponent": contract.FIELD_MANAGER,
        "reportingInstance": contract.FIELD_MANAGER,
        "source": {"component": contract.FIELD_MANAGER},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
