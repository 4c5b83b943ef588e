"""Which Incidents the operator makes: for what nobody else reports, and for what nobody has reported in time.

The name follows from the pod's uid: whoever else reports the same makes the same object.

    what is seen of a pod                                           when
    its watchdog left a breach (not `BLAMELESS`) as its last word   when the ledger has had its time
    an authorizer saw somebody in it without the watchdog's token   at once
    its watchdog restarted and lost its verdict                     at once
    its watchdog is silent (`silences`), and its node calls it down at once
    something was done around it (`noticing`)                       at once
    its agent ended with an error, CRASHES times in a row           at once, if the policy asks for it
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from zaum_api import contract, incidents
from zaum_operator.core import backoff, kinds
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.incident import Incident, Ref
from zaum_operator.core.containment.noticing import Accused
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.pods import Phase, Pod
from zaum_operator.core.snapshot import Contact

GRACE: Final = timedelta(seconds=5)
"""How long a breach waits for the ledger's own Incident."""
CRASHES: Final = 5
"""So many ends in a row with an error, none after a healthy run, are a loop."""
OLD: Final = timedelta(hours=1)
"""An end that lies further back was judged by an operator before this one."""
_UNKNOWN: Final = "a word that this version does not know"


@dataclass(frozen=True, slots=True)
class Owed:
    """An Incident that is to be made, from when on."""

    pod: Pod
    reason: str
    observed: datetime
    due: datetime
    summary: str

    @property
    def ref(self) -> Ref:
        """Name its pod."""
        return Ref(self.pod.name, self.pod.uid)


def owed(
    key: Key,
    pods: Iterable[Pod],
    known: Iterable[Incident],
    *,
    contacts: Mapping[str, Contact],
    silent: frozenset[str] = frozenset(),
    ledger: bool,
    now: datetime,
    accused: Mapping[str, Accused] = MappingProxyType({}),
    crashes: bool = False,
) -> tuple[Owed, ...]:
    """Give the Incidents that are lacking. One that was made, open or closed, is not made again.

    `accused`: what was noticed, by the pod's uid; `crashes`: whether crash loops count.
    """
    every = tuple(known)
    names = {item.name for item in every}
    held = {item.pod.uid for item in every if item.pod is not None}
    found = []
    for pod in pods:
        if incidents.name(key.namespace, key.name, pod.uid) in names or pod.uid in held:
            continue
        seen = _seen(pod, contacts.get(pod.uid), silent=pod.uid in silent, ledger=ledger, now=now)
        seen = seen or _noticed(pod, accused.get(pod.uid)) or (_crashed(pod, now=now) if crashes else None)
        if seen is not None and now - seen.observed < OLD:
            found.append(seen)
    return tuple(found)


def render(key: Key, lacking: Owed, action: incidents.Action, body: Body | None = None) -> Object:
    """Give the Incident."""
    pod = lacking.pod
    images = () if body is None else body.images[: incidents.IMAGES_MAX]
    facts = {"node": pod.node, "word": _word(pod), "watchdogRestarts": str(pod.watchdog_restarts)}
    if pod.ending is not None and pod.ending.exit_code is not None:
        facts["exitCode"] = str(pod.ending.exit_code)
    evidence = {
        "summary": lacking.summary[: incidents.SUMMARY_MAX],
        "facts": [{"name": name, "value": _ascii(value)} for name, value in facts.items() if value not in ("", "0")],
        "images": list(images),
    }
    return {
        "apiVersion": kinds.INCIDENT.api_version,
        "kind": kinds.INCIDENT.name,
        "metadata": {"name": incidents.name(key.namespace, key.name, pod.uid), "namespace": key.namespace},
        "spec": {
            "policyRef": {"name": key.name},
            "reason": lacking.reason,
            "action": action.value,
            "reporter": incidents.Reporter.OPERATOR.value,
            "pod": {"name": pod.name, "uid": pod.uid},
            "observedAt": f"{lacking.observed.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "evidence": {name: value for name, value in evidence.items() if value},
        },
    }


def _seen(pod: Pod, contact: Contact | None, *, silent: bool, ledger: bool, now: datetime) -> Owed | None:
    word = pod.last_word
    if word is not None and not word.unhealthy and word.breach not in contract.BLAMELESS:
        at = pod.ending.finished if pod.ending is not None else now
        reason = word.word if word.word in incidents.REASONS else incidents.Cause.WATCHDOG_VERDICT.value
        what = word.word if reason == word.word else _UNKNOWN
        summary = f"Pod {pod.name}: the watchdog's last word is {what}."
        return Owed(pod, reason, at, at + GRACE if ledger else at, summary)
    if pod.contact:
        at = datetime.fromtimestamp(contact.at, UTC) if contact is not None else now
        summary = f"Pod {pod.name}: somebody in it spoke to the gateway without its watchdog's credential."
        reason = contract.Breach.GATEWAY_CONTACT.value
        return Owed(pod, reason, min(at, now), now, summary) if _matters(pod) else None
    if pod.watchdog_restarts and _matters(pod):
        at = pod.ending.finished if pod.ending is not None else now
        summary = f"Pod {pod.name}: its watchdog restarted and has lost its verdict."
        return Owed(pod, incidents.Cause.WATCHDOG_RESTARTED.value, at, now, summary)
    if silent and pod.watchdog_down and pod.phase is Phase.LIVE:
        summary = f"Pod {pod.name}: its watchdog says nothing to the ledger, and its node says that it is not ready."
        return Owed(pod, incidents.Cause.WATCHDOG_SILENT.value, now, now, summary)
    return None


def _noticed(pod: Pod, accused: Accused | None) -> Owed | None:
    if accused is None:
        return None
    return Owed(pod, accused.reason, accused.observed, accused.observed, f"Pod {pod.name}: {accused.summary}")


def _crashed(pod: Pod, *, now: datetime) -> Owed | None:
    """Find an agent that ended by its own fault, once too often: not by us, by its node or by its lifetime."""
    ending = pod.ending
    if ending is None or not ending.exit_code or ending.succeeded:
        return None
    if pod.cut_off or pod.disrupted or pod.outlived or pod.terminating:
        return None
    if pod.last_word is not None and pod.last_word.breach in contract.BLAMELESS:
        return None
    count = backoff.failures(before=pod.failures, ran=ending.ran)
    if count < CRASHES:
        return None
    summary = f"Pod {pod.name}: its agent ended with exit code {ending.exit_code}, the {count}th failure in a row."
    return Owed(pod, incidents.Cause.CRASH_LOOP.value, ending.finished, now, summary)


def _matters(pod: Pod) -> bool:
    """Leave out a pod that ended by itself: nothing of it has to be contained, and nothing tells when it happened."""
    return pod.phase is Phase.LIVE or pod.cut_off


def _word(pod: Pod) -> str:
    return pod.last_word.word if pod.last_word is not None else ""


def _ascii(text: str) -> str:
    return "".join(each if " " <= each <= "~" else "." for each in text)[:256]
