"""Incidents as a decision needs them: what each that is open contains, and what of it could not be read.

What contains what is `zaum_api.incidents`' to say, for all parts alike. An Incident that does not even say of which
policy it is contains nothing, and whoever asks is told so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from zaum_api import incidents
from zaum_gateway.core import records

Key = tuple[str, str]
"""Namespace and name."""
PROBLEM_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Incident:
    """One Incident. `hold` is None for a closed one, and for one of which too little can be read (`problem`).

    An object of which too little can be read since a change contains what it contained before.
    """

    namespace: str
    name: str
    uid: str
    version: str
    hold: incidents.Hold | None
    problem: str = ""

    @staticmethod
    def read(body: Mapping[str, Any], previous: "Incident | None" = None) -> "Incident":
        """Read an Incident, which stands in the place of `previous`; whatever it holds, this raises nothing."""
        metadata = body.get("metadata")
        said = metadata if isinstance(metadata, Mapping) else {}
        namespace, name = records.key(body)
        uid, version = str(said.get("uid", "")), str(said.get("resourceVersion", ""))
        problem = ""
        try:
            hold = incidents.hold(body)
        except incidents.IncidentError as error:
            hold = previous.hold if previous is not None and previous.uid == uid else None
            problem = str(error)[:PROBLEM_MAX]
        return Incident(namespace, name, uid, version, hold, problem)

    @property
    def key(self) -> Key:
        """Give namespace and name."""
        return self.namespace, self.name


class Standing:
    """The Incidents by namespace and name, and what the open ones contain by namespace and policy."""

    def __init__(self) -> None:
        self._incidents: dict[Key, Incident] = {}
        self._holds: dict[Key, tuple[incidents.Hold, ...]] = {}
        self.view: Mapping[Key, Incident] = MappingProxyType(self._incidents)
        self.holds: Mapping[Key, tuple[incidents.Hold, ...]] = MappingProxyType(self._holds)

    def put(self, incident: Incident) -> None:
        """Take one in the place of the one that had its name."""
        self.remove(incident.key)
        self._incidents[incident.key] = incident
        if incident.hold is not None:
            policy = (incident.hold.namespace, incident.hold.policy)
            self._holds[policy] = (*self._holds.get(policy, ()), incident.hold)

    def remove(self, key: Key) -> None:
        """Forget one: what is no object contains nothing. Admission lets none go that is open."""
        known = self._incidents.pop(key, None)
        if known is None or known.hold is None:
            return
        policy = (known.hold.namespace, known.hold.policy)
        rest = tuple(hold for hold in self._holds[policy] if hold is not known.hold)
        if rest:
            self._holds[policy] = rest
        else:
            del self._holds[policy]

    def unreadable(self) -> tuple[Incident, ...]:
        """Give those that may be open and do not say of what, by name."""
        return tuple(one for _, one in sorted(self._incidents.items()) if one.problem)

    def in_force(self) -> int:
        """Count those that contain something."""
        return sum(map(len, self._holds.values()))
