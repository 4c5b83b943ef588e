"""What watchdogs said last, held in memory for the operator: lost with this process, and sent again soon after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import documents, reading
from zaum_gateway.core import contacts, records

REPORTS_MAX: Final = 20_000
"""More pods than Envoy takes connections. Some 300 bytes each; at REPORT_MAX_BYTES each, 160 MiB."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One pod's newest report; `at` in seconds since the epoch, by this process's clock."""

    at: int
    namespace: str
    pod: str
    report: bytes
    contained: documents.Contained | None = None
    """What of it is asked for by uid."""


class Reports:
    """The newest report of each pod, the oldest pod first."""

    def __init__(self, most: int = REPORTS_MAX) -> None:
        self._most = most
        self._kept: dict[str, Kept] = {}

    def take(self, pod: records.Pod, report: documents.Report, now: float) -> None:
        """Keep a report in the place of the one before; when there are too many, the oldest makes room."""
        self._kept.pop(pod.uid, None)
        self._kept[pod.uid] = Kept(int(now), pod.namespace, pod.name, report.dump(), report.contained)
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def prune(self, pods: Mapping[str, records.Pod]) -> None:
        """Forget the pods that are gone."""
        for uid in [uid for uid in self._kept if uid not in pods]:
            del self._kept[uid]

    def contained(self, uid: str) -> documents.Contained | None:
        """Give how far a pod's watchdog says that it has gone; None where it has not said so here."""
        kept = self._kept.get(uid)
        return None if kept is None else kept.contained

    def all(self) -> Mapping[str, Kept]:
        """Give all by uid."""
        return self._kept

    def __len__(self) -> int:
        """Give how many pods have reported."""
        return len(self._kept)


def document(kept: Mapping[str, Kept], latched: Iterable[contacts.Contact]) -> bytes:
    """Write the answer to `GET contract.PATH_REPORTS`: reports and contacts by pod uid; who made contact is latched.

    Reports go in as the bytes that they are kept as: to take twenty thousand apart would hold up decisions.
    """
    touched = {
        item.uid: {
            "uid": item.uid,
            "namespace": item.namespace,
            "pod": item.pod,
            "rule": item.rule.value,
            "at": item.at,
        }
        for item in latched
    }
    said = b",".join(reading.canonical(uid) + b":" + _entry(item) for uid, item in kept.items())
    return b'{"contacts":' + reading.canonical(touched) + b',"reports":{' + said + b"}}"


def _entry(item: Kept) -> bytes:
    about = reading.canonical({"at": item.at, "namespace": item.namespace, "pod": item.pod})
    return about[:-1] + b',"report":' + item.report + b"}"
