"""What the authorizers hold of the watchdogs' reports: read, merged, and held against what was known before.

Each authorizer has what came to it. Of one pod's reports the newest counts; one that is older than three periods says
nothing any more, because its watchdog would have spoken since. Times of reports are the authorizers'; whether one has
been renewed is judged by our own monotonic seconds as well, so that no clock keeps an old word alive.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from zaum_api import contract, documents, reading
from zaum_api.reading import DocumentError, Fields
from zaum_operator.core import usage
from zaum_operator.core.keys import Key
from zaum_operator.core.snapshot import Contact, Reported
from zaum_operator.core.usage import Usage

PERIOD: Final = 15.0
"""Seconds between two reports of a watchdog of which nothing has changed."""
UNKNOWN_AFTER: Final = 3 * PERIOD
SKEW: Final = 30.0
"""By how many seconds clocks may differ: a signed head of a watchdog may be off by no more."""
FORGOTTEN_AFTER: Final = 600.0
PODS_MAX: Final = 100_000
BODY_MAX: Final = 32 * 1024 * 1024
"""Bytes of one authorizer's answer: twenty thousand pods, of which most have little to say."""


@dataclass(frozen=True, slots=True)
class Said:
    """A pod's report, and when an authorizer took it (seconds since the epoch, its clock)."""

    key: Key
    at: int
    report: documents.Report


@dataclass(frozen=True, slots=True)
class Batch:
    """What one authorizer holds, by pod uid. `unreadable`: how many entries were left out."""

    said: Mapping[str, Said]
    contacts: Mapping[str, tuple[Key, Contact]]
    unreadable: int = 0


def parse(raw: bytes) -> Batch:
    """Read an answer to GET PATH_REPORTS; DocumentError where it is none. One entry that is none harms no other."""
    whole = reading.load_json(raw, most=BODY_MAX)
    if not isinstance(whole, dict) or not all(isinstance(whole.get(part), dict) for part in ("reports", "contacts")):
        raise DocumentError("", "has no reports and contacts")
    said: dict[str, Said] = {}
    contacts: dict[str, tuple[Key, Contact]] = {}
    unreadable = 0
    for uid, value in whole["reports"].items():
        try:
            said[uid] = _said(value, f"reports.{uid}")
        except DocumentError:
            unreadable += 1
    for uid, value in whole["contacts"].items():
        try:
            contacts[uid] = _contact(value, f"contacts.{uid}")
        except DocumentError:
            unreadable += 1
    return Batch(said, contacts, unreadable)


@dataclass(slots=True)
class _Heard:
    said: Said
    since: float
    """Our seconds at which this report, by its time, was seen first."""
    fresh: bool = True


@dataclass(slots=True)
class Held:
    """The newest of each pod, by uid. Memory alone: what is lost is reported again."""

    _heard: dict[str, _Heard] = field(default_factory=dict)
    _contacts: dict[str, tuple[Key, Contact, float]] = field(default_factory=dict)
    _usage: dict[Key, tuple[Usage, float]] = field(default_factory=dict)
    """What a policy's pods have counted, as said last, and when."""

    def take(self, batches: Iterable[Batch], *, now: datetime, seconds: float) -> set[Key]:
        """Take in what all authorizers hold; give the policies of which something has changed that is acted on.

        No batch at all (nobody answered) only lets what is held grow old.
        """
        before = {uid: _mark(heard) for uid, heard in self._heard.items()}
        keys = {heard.said.key for heard in self._heard.values()}
        newest = _newest(batches)
        for uid, said in newest.said.items():
            self._hear(uid, said, seconds)
        self._age(now=now, seconds=seconds)
        after = {uid: _mark(heard) for uid, heard in self._heard.items()}
        changed = {mark[0] for uid, mark in after.items() if before.get(uid) != mark}
        changed |= {mark[0] for uid, mark in before.items() if uid not in after and mark[1]}
        changed |= self._touched(newest.contacts, seconds)
        return changed | self._count(keys | {said.key for said in newest.said.values()}, seconds)

    def reports(self, uids: Iterable[str]) -> dict[str, Reported]:
        """Give what is known of pods; nothing of one that has not spoken lately."""
        return {
            uid: Reported(heard.said.report)
            for uid in uids
            if (heard := self._heard.get(uid)) is not None and heard.fresh
        }

    def contacts(self, uids: Iterable[str]) -> dict[str, Contact]:
        """Give the contacts of pods."""
        return {uid: self._contacts[uid][1] for uid in uids if uid in self._contacts}

    def usage(self, key: Key) -> Usage | None:
        """Give what a policy's pods have counted, in steps; None when nothing was heard of any."""
        held = self._usage.get(key)
        return None if held is None else held[0]

    def __len__(self) -> int:
        """Count the pods that have spoken lately."""
        return sum(heard.fresh for heard in self._heard.values())

    def _hear(self, uid: str, said: Said, seconds: float) -> None:
        held = self._heard.get(uid)
        if held is None:
            if len(self._heard) < PODS_MAX:
                self._heard[uid] = _Heard(said, seconds)
        elif said.at > held.said.at or (not held.fresh and said.at != held.said.at):
            self._heard[uid] = _Heard(said, seconds)
        elif said.at == held.said.at:
            held.said = said  # two reports within a second

    def _age(self, *, now: datetime, seconds: float) -> None:
        for uid, heard in list(self._heard.items()):
            silent, age = seconds - heard.since, now.timestamp() - heard.said.at
            heard.fresh = silent <= UNKNOWN_AFTER and age <= UNKNOWN_AFTER + SKEW
            if silent > FORGOTTEN_AFTER:
                del self._heard[uid]

    def _touched(self, found: Mapping[str, tuple[Key, Contact]], seconds: float) -> set[Key]:
        """Hold contacts; the first one of a pod stays. An authorizer holds them as long as the pod is there."""
        new = {key for uid, (key, _) in found.items() if uid not in self._contacts}
        for uid, (key, contact) in found.items():
            self._contacts[uid] = (key, self._contacts.get(uid, (key, contact))[1], seconds)
        for uid in [uid for uid, (_, _, seen) in self._contacts.items() if seconds - seen > FORGOTTEN_AFTER]:
            del self._contacts[uid]
        return new

    def _count(self, keys: set[Key], seconds: float) -> set[Key]:
        """Add up what was counted, and move what is said of it when it has grown by a step, and not too often."""
        sums: dict[Key, list[documents.Report]] = defaultdict(list)
        for heard in self._heard.values():
            if heard.fresh:
                sums[heard.said.key].append(heard.said.report)
        changed = set()
        for key in keys:
            if key not in sums:
                continue
            now, held = usage.total(sums[key]), self._usage.get(key)
            if held is None or (usage.is_a_step(held[0], now) and seconds - held[1] >= usage.LEAST_SECONDS):
                self._usage[key] = (now, seconds)
                changed.add(key)
        spoken = {heard.said.key for heard in self._heard.values()}
        for key in [key for key in self._usage if key not in spoken]:
            del self._usage[key]
        return changed


def _newest(batches: Iterable[Batch]) -> Batch:
    """Merge: the same result in whatever order the authorizers answered."""
    said: dict[str, Said] = {}
    contacts: dict[str, tuple[Key, Contact]] = {}
    for batch in batches:
        for uid, one in batch.said.items():
            known = said.get(uid)
            if known is None or one.at > known.at or (one.at == known.at and one.report.dump() > known.report.dump()):
                said[uid] = one
        for uid, (key, contact) in batch.contacts.items():
            if uid not in contacts or (contact.at, contact.rule) < (contacts[uid][1].at, contacts[uid][1].rule):
                contacts[uid] = (key, contact)
    return Batch(said, contacts)


def _mark(heard: _Heard) -> tuple[Key, bool, object]:
    """Give what of a report decides anything: counters do not."""
    report = heard.said.report
    contained = report.contained
    ladder = None if contained is None else (contained.rung, contained.breach, contained.would_kill)
    decides = (report.tested > 0, report.escapes, report.missing, report.problem, ladder)
    return (heard.said.key, heard.fresh, decides if heard.fresh else None)


def _said(value: object, place: str) -> Said:
    fields = Fields(value, place)
    # What else an authorizer of a later release says of it is not ours to know.
    return Said(_key(fields), fields.whole("at", least=0, most=2**53), fields.one("report", documents.Report.read))


def _contact(value: object, place: str) -> tuple[Key, Contact]:
    fields = Fields(value, place)
    return _key(fields), Contact(fields.text("rule")[:64], fields.whole("at", least=0, most=2**53))


def _key(fields: Fields) -> Key:
    """Name the policy of a pod by the pod's name; whether it is one of that policy the API server says."""
    namespace, pod = fields.text("namespace"), fields.text("pod")
    policy, ordinal, suffix = ["", *pod.removeprefix(contract.NAME_PREFIX).rsplit("-", 2)][-3:]
    if not pod.startswith(contract.NAME_PREFIX) or not policy or not ordinal.isdecimal() or not suffix:
        raise DocumentError(fields.at("pod"), "is no agent pod's name")
    return Key(namespace, policy)
