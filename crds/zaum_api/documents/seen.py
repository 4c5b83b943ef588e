"""What one authorizer replica sees of Incidents and pods, at `contract.PATH_SEEN`: steps are confirmed, not assumed.

The operator asks each replica `?incidents=<namespace>/<name>,…&pods=<uid>,…`, at most ASKED_MAX of each, and gets what
this replica knows of them; what it does not know of is left out. Ages are seconds by its own monotonic clock.

With `&unlike=<mark>&wait=<seconds>` the answer waits for something that makes it another one than that which had this
mark, and for at most so long: whoever hears of a change by the answer never asks in vain, and misses none.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.report import Rung
from zaum_api.reading import DocumentError, Fields

SEEN_VERSION: Final = "v1"
SEEN_MAX_BYTES: Final = 128 * 1024
ASKED_MAX: Final = 64
AGE_MAX: Final = 2**31
_MOMENT_MAX: Final = 2**53
WAIT_MAX: Final = 5
"""Seconds that an answer waits at most."""
_WAIT: Final = re.compile(rf"[0-{WAIT_MAX}]?")
_MARK: Final = re.compile(r"[0-9a-f]{0,64}")
_UID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_INCIDENT: Final = re.compile(r"[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}")


@dataclass(frozen=True, slots=True)
class SeenIncident:
    """An Incident that the replica has read. `in_force`: it is open, and what it names gets no CONNECT from here.

    `problem`: what of it could not be read; whatever could be is in force.
    """

    namespace: str
    name: str
    uid: str
    version: str
    """Its resourceVersion."""
    in_force: bool
    problem: str = ""

    @staticmethod
    def read(value: object, place: str) -> "SeenIncident":
        """Read one."""
        fields = Fields(value, place)
        found = SeenIncident(
            namespace=fields.text("namespace"),
            name=fields.text("name"),
            uid=fields.text("uid", empty=True),
            version=fields.text("resourceVersion", empty=True),
            in_force=fields.truth("inForce"),
            problem=fields.text("problem", empty=True)[:512],
        )
        fields.end()
        return found

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": self.version,
            "inForce": self.in_force,
            "problem": self.problem,
        }


class Life(StrEnum):
    """What a replica knows of a pod."""

    LIVE = "live"
    """It may speak, if no rule refuses it."""
    ENDED = "ended"
    """All its containers have ended: nothing in its name is let through, whatever token is shown."""
    GONE = "gone"
    """The object is gone, and its identity with it."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod that the replica has read. `refused`: an Incident, label or contact refuses every CONNECT of it.

    `rung`: how far its watchdog said last that it has gone, None where none has said so here; `since`: when it took
    that rung, in milliseconds since the epoch by the pod's node.
    """

    uid: str
    life: Life
    refused: bool
    rung: Rung | None = None
    since: int = 0

    @property
    def cut(self) -> bool:
        """Say whether its watchdog lets nothing out any more, by its own word."""
        return self.rung in {Rung.CUT, Rung.KILLED}

    @staticmethod
    def read(value: object, place: str) -> "SeenPod":
        """Read one."""
        fields = Fields(value, place)
        found = SeenPod(
            uid=fields.text("uid"),
            life=fields.one("life", _life),
            refused=fields.truth("refused"),
            rung=fields.one("rung", _rung),
            since=fields.whole("since", least=0, most=_MOMENT_MAX),
        )
        fields.end()
        return found

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        rung = "" if self.rung is None else self.rung.value
        return {"uid": self.uid, "life": self.life.value, "refused": self.refused, "rung": rung, "since": self.since}


@dataclass(frozen=True, slots=True)
class Seen:
    """One replica's answer. `ready`: it has read all kinds of objects once; before that it refuses everything.

    `listed`: seconds since its last whole list of pods (the oldest one, where namespaces are listed one by one).
    `degraded`: why it does not see everything, empty when nothing is wrong: the API server silent, an Incident that
    cannot be read. `mark`: tells this answer from others to the same question, but for ages and resourceVersions.
    """

    ready: bool
    listed: int
    incidents: tuple[SeenIncident, ...] = ()
    pods: tuple[SeenPod, ...] = ()
    degraded: str = ""
    mark: str = ""

    def marked(self, listed_at: int) -> "Seen":
        """Give it with its mark. `listed_at`: when the pods were listed; it matters where one is not known."""
        decides = self.write() | {"listed": listed_at}
        for item in decides["incidents"]:
            del item["resourceVersion"]
        return replace(self, mark=hashlib.sha256(reading.canonical(decides)).hexdigest()[:16])

    def part(self, asked: "SeenAsked") -> "Seen":
        """Give what of it answers a part of what was asked."""
        incidents = tuple(one for one in self.incidents if (one.namespace, one.name) in asked.incidents)
        return replace(self, incidents=incidents, pods=tuple(one for one in self.pods if one.uid in asked.pods))

    def sees(self, namespace: str, name: str, uid: str) -> bool:
        """Say whether an Incident is in force here. `uid` tells it from one of the same name before."""
        return self.ready and any(
            (one.namespace, one.name, one.uid, one.in_force) == (namespace, name, uid, True) for one in self.incidents
        )

    def dead(self, uid: str, *, gone_for: float) -> bool:
        """Say whether a pod's identity is dead here. `gone_for`: seconds since the asker saw the object gone.

        A replica that never heard of the pod proves it only if it has listed all pods since then: before, it may not
        have heard of the pod yet.
        """
        found = next((pod for pod in self.pods if pod.uid == uid), None)
        if found is None:
            return self.ready and self.listed < int(gone_for)
        return self.ready and found.life is not Life.LIVE

    @staticmethod
    def parse(raw: bytes) -> "Seen":
        """Read an answer; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=SEEN_MAX_BYTES), "")
        version = fields.text("version")
        if version != SEEN_VERSION:
            raise DocumentError("version", f"is {version!r}; this version reads {SEEN_VERSION}")
        seen = Seen(
            ready=fields.truth("ready"),
            listed=fields.whole("listed", least=0, most=AGE_MAX),
            incidents=fields.items("incidents", SeenIncident.read, most=ASKED_MAX),
            pods=fields.items("pods", SeenPod.read, most=ASKED_MAX),
            degraded=fields.text("degraded", empty=True)[:512],
            mark=fields.one("mark", _mark),
        )
        fields.end()
        return seen

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "version": SEEN_VERSION,
            "ready": self.ready,
            "listed": self.listed,
            "incidents": [item.write() for item in self.incidents],
            "pods": [item.write() for item in self.pods],
            "degraded": self.degraded,
            "mark": self.mark,
        }

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(self.write())


@dataclass(frozen=True, slots=True)
class SeenAsked:
    """The question: Incidents as (namespace, name), pods by uid; and for how many seconds the answer may wait."""

    incidents: tuple[tuple[str, str], ...] = ()
    pods: tuple[str, ...] = ()
    unlike: str = ""
    wait: int = 0

    def query(self) -> str:
        """Give it as the query of a URL, without the `?`; every character of it may stand there as it is."""
        waits = f"&unlike={self.unlike}&wait={self.wait}" if self.wait else ""
        return f"incidents={','.join('/'.join(one) for one in self.incidents)}&pods={','.join(self.pods)}{waits}"

    @staticmethod
    def parse(query: str) -> "SeenAsked":
        """Read a query; raise DocumentError for anything else, or for more than ASKED_MAX."""
        parts: dict[str, list[str]] = {"incidents": [], "pods": [], "unlike": [], "wait": []}
        for part in query.split("&") if query else ():
            name, _, listed = part.partition("=")
            if name not in parts or parts[name]:
                raise DocumentError(name[:32], "is not what is asked here, or stands there twice")
            parts[name] = listed.split(",") if listed else []
        incidents = _each("incidents", parts["incidents"], _INCIDENT)
        pairs = tuple((namespace, name) for namespace, _, name in (one.partition("/") for one in incidents))
        unlike, wait = (",".join(parts[name]) for name in ("unlike", "wait"))
        if not _WAIT.fullmatch(wait):
            raise DocumentError("wait", f"must be at most {WAIT_MAX} seconds")
        return SeenAsked(pairs, _each("pods", parts["pods"], _UID), _mark(unlike, "unlike"), int(wait or 0))


def _each(place: str, found: Iterable[str], pattern: "re.Pattern[str]") -> tuple[str, ...]:
    each = tuple(dict.fromkeys(found))
    if len(each) > ASKED_MAX:
        raise DocumentError(place, f"must be at most {ASKED_MAX}")
    if not all(pattern.fullmatch(one) for one in each):
        raise DocumentError(place, "holds what is no name of one")
    return each


def _mark(value: object, place: str) -> str:
    if not isinstance(value, str) or not _MARK.fullmatch(value):
        raise DocumentError(place, "must be at most 64 hexadecimal digits")
    return value


def _rung(value: object, place: str) -> Rung | None:
    try:
        return None if value == "" else Rung(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Rung)}") from error


def _life(value: object, place: str) -> Life:
    try:
        return Life(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Life)}") from error
