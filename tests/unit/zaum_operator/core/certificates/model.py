"""Certificates on a simulated cluster: two operators that may both believe to lead, kubelets that are late, crashes.

Nothing is signed here; a leaf is who issued it and until when. What matters is time: who may have which version when.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zaum_api import contract
from zaum_operator.core.certificates import rotation, stored
from zaum_operator.core.certificates.steadiness import Steadiness
from zaum_operator.core.certificates.view import Authority, Holder, Leaf, Lives, Root, View

START = datetime(2026, 3, 1, tzinfo=UTC)
LATE = timedelta(seconds=20)
"""The most that a kubelet is behind."""
SETTLE = 2 * LATE + timedelta(seconds=2)
"""A leader of before may tell a watchdog what its late volume shows, and the watchdog's kubelet is late once more."""
LIVES = Lives(authority=timedelta(seconds=1800), leaf=timedelta(seconds=600), settle=SETTLE)
GATEWAY, AUTHORIZER, LEDGER = HOLDERS = (
    contract.GATEWAY_TLS_SECRET,
    contract.AUTHORIZER_TLS_SECRET,
    contract.LEDGER_TLS_SECRET,
)
assert set(HOLDERS) == set(stored.HOLDERS)
ROOT = "root"


class UntrustedError(AssertionError):
    """Somebody may meet a leaf of an authority that it does not trust."""


@dataclass
class History:
    """All versions of a value with the time since when it stands."""

    versions: list[tuple[datetime, Any]]

    def put(self, now: datetime, value: Any) -> None:
        self.versions.append((now, value))

    @property
    def latest(self) -> Any:
        return self.versions[-1][1]

    def since(self, index: int) -> datetime:
        """When version `index` ceased to be the latest; the far future for the latest."""
        return self.versions[index + 1][0] if index + 1 < len(self.versions) else datetime.max.replace(tzinfo=UTC)

    def possible(self, now: datetime) -> list[Any]:
        """Every version that a reader may have whose kubelet is at most LATE behind."""
        return [value for index, (_, value) in enumerate(self.versions) if self.since(index) >= now - LATE]


@dataclass
class Operator:
    """One replica: what its volume shows, what it wrote itself, since when it has seen no change."""

    shown: dict[str, int]
    wrote: dict[str, Any] = field(default_factory=dict)
    steadiness: Steadiness = field(default_factory=Steadiness)

    def crash(self) -> None:
        self.wrote, self.steadiness = {}, Steadiness()


class Cluster:
    """Truth, and everybody's view of it. `check` raises UntrustedError."""

    def __init__(self, seed: int, lives: Lives = LIVES) -> None:
        self.dice = random.Random(seed)
        self.lives = lives
        self.now = START
        self.secrets = {name: History([(START, None)]) for name in (ROOT, *HOLDERS)}
        self.told = [History([(START, ())]) for _ in range(3)]
        self.operators = [Operator(dict.fromkeys(self.secrets, 0)) for _ in range(2)]
        self.made = 0
        self.retired = 0
        self.urgent = 0

    def tick(self) -> None:
        """Let some time pass; then somebody does something, perhaps twice, perhaps dying of it."""
        self.now += timedelta(seconds=self.dice.uniform(0.5, 6))
        for operator in self.operators:
            self._sync(operator)
        if self.dice.random() < 0.02:
            self.dice.choice(self.operators).crash()
        for operator in self.dice.choices(self.operators, weights=(8, 1), k=self.dice.choice((0, 1, 1, 2))):
            self._act(operator)
        if self.dice.random() < 0.5:
            self._tell(self.operators[0])
        if self.dice.random() < 0.03:
            self._tell(self.operators[1])
        self.check()

    def check(self) -> None:
        """Every client that trusts anything trusts every leaf that it may meet, wherever the kubelets stand."""
        bundles = [bundle for told in self.told for bundle in told.possible(self.now) if bundle]
        self._trusted("a watchdog and the gateway", bundles, GATEWAY, "tls")
        self._trusted("a watchdog and the ledger", bundles, LEDGER, "tls")
        self._trusted("the gateway and the authorizer", self._bundles(GATEWAY), AUTHORIZER, "tls")
        self._trusted("the authorizer and the gateway", self._bundles(AUTHORIZER), GATEWAY, "client")

    def _trusted(self, who: str, bundles: list[Any], server: str, stem: str) -> None:
        leafs = {holder.leafs[stem].issuer for holder in self.secrets[server].possible(self.now) if holder}
        for bundle in bundles:
            if not leafs <= set(bundle):
                raise UntrustedError(f"{who} at {self.now - START}: {leafs} is not within {bundle}")

    def _bundles(self, name: str) -> list[Any]:
        return [holder.marks for holder in self.secrets[name].possible(self.now) if holder]

    def _sync(self, operator: Operator) -> None:
        """The kubelet brings a Secret now and then, and never later than LATE."""
        for name, history in self.secrets.items():
            at = operator.shown[name]
            while at + 1 < len(history.versions) and (history.since(at) < self.now - LATE or self.dice.random() < 0.3):
                at += 1
            operator.shown[name] = at
            written, shown = operator.wrote.get(name), history.versions[at][1]
            if written is not None and shown is not None and shown.revision >= written.revision:
                del operator.wrote[name]

    def _seen(self, operator: Operator, name: str) -> Any:
        return operator.wrote.get(name) or self.secrets[name].versions[operator.shown[name]][1]

    def _view(self, operator: Operator) -> View:
        return View(self._seen(operator, ROOT), {name: self._seen(operator, name) for name in HOLDERS})

    def _tell(self, operator: Operator) -> None:
        """An operator's reconcile writes some watchdogs' documents from what its volume shows."""
        root = self.secrets[ROOT].versions[operator.shown[ROOT]][1]
        for told in self.told:
            if root is not None and self.dice.random() < 0.7 and told.latest != root.marks:
                told.put(self.now, root.marks)

    def _act(self, operator: Operator) -> None:
        view = self._view(operator)
        missing = rotation.in_rotation(view) and any(
            told.latest and view.root and view.root.youngest.mark not in told.latest for told in self.told
        )
        operator.steadiness = operator.steadiness.seen(view.mark, complete=not missing, now=self.now)
        step = rotation.decide(view, now=self.now, lives=self.lives, steady=operator.steadiness.since)
        match step:
            case rotation.MakeAuthority(revision, keep):
                self.made += 1
                fresh = Authority(f"authority-{self.made}", self.now, self.now + self.lives.authority)
                self._write(operator, ROOT, view.root, Root(revision, (*keep, fresh)))
            case rotation.Retire():
                assert view.root is not None
                if self._write(operator, ROOT, view.root, Root(view.root.revision + 1, (view.root.youngest,))):
                    self.retired += 1
            case rotation.HandOut(name):
                holder = view.holders[name]
                assert holder is not None
                self._write(operator, name, holder, replace(holder, **self._copy(view, holder)))
            case rotation.Sign(names, why):
                self.urgent += "not everybody" in why
                for name in names:
                    if self.dice.random() < 0.97:  # else it dies in between
                        self._sign(operator, view, name)
            case rotation.LookAgain() | rotation.Rest():
                pass

    def _sign(self, operator: Operator, view: View, name: str) -> None:
        root, holder = view.root, view.holders[name]
        assert root is not None
        until = min(self.now + self.lives.leaf, root.youngest.until)
        leafs = {wanted.stem: Leaf(root.youngest.mark, self.now, until) for wanted in stored.HOLDERS[name]}
        self._write(operator, name, holder, Holder(leafs=leafs, **self._copy(view, holder)))

    def _copy(self, view: View, holder: Holder | None) -> dict[str, Any]:
        assert view.root is not None
        revision = 1 + (holder.revision if holder else 0)
        return {"revision": revision, "root": view.root.revision, "bundle": view.root.bundle}

    def _write(self, operator: Operator, name: str, seen: Any, fresh: Any) -> bool:
        """The API server's part: refused unless the revision is the one that was seen."""
        latest = self.secrets[name].latest
        if (latest.revision if latest else 0) != (seen.revision if seen else 0):
            return False
        self.secrets[name].put(self.now, fresh)
        if self.dice.random() < 0.03:
            operator.crash()  # between the write and its answer
        else:
            operator.wrote[name] = fresh
        return True
