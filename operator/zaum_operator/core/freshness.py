"""Remember what needs not be done again: reading a spec that has not changed, planning for what has not changed.

Nothing here decides anything: forgetting all of it costs time, nothing else.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from zaum_operator.core import ceiling, enforcement, intent
from zaum_operator.core.ceiling import Ceiling
from zaum_operator.core.intent import Intent
from zaum_operator.core.keys import Key, of_policy
from zaum_operator.core.kinds import Object
from zaum_operator.core.plan import Readers
from zaum_operator.core.snapshot import Snapshot

Mark = tuple[object, ...]
"""Equal for two snapshots that the same plan follows from, as long as time plays no part in it."""
CEILINGS_MAX = 1_000
READ_MAX = 256
"""How many specs are kept as read: a policy is looked at a few times in a row, then not for long."""
NEIGHBOURS_MAX = 100_000
"""The same where each reconcile reads all policies of its namespace, which must not read each spec anew."""


@dataclass(slots=True)
class Memory:
    """What one operator process remembers of its policies and ceilings."""

    read_max: int = READ_MAX
    _read: OrderedDict[Key, tuple[str, int, Intent]] = field(default_factory=OrderedDict)
    _ceilings: dict[tuple[str, int], Ceiling] = field(default_factory=dict)
    _settled: dict[Key, Mark] = field(default_factory=dict)

    @property
    def readers(self) -> Readers:
        """Give readers that read each generation of a spec once."""
        return Readers(policy=self._policy, ceiling=self._ceiling)

    def settle(self, key: Key, mark: Mark) -> None:
        """Note that nothing was left to do for a policy, and nothing to wait for."""
        self._settled[key] = mark

    def is_settled(self, key: Key, mark: Mark) -> bool:
        """Say whether nothing has changed since then."""
        return self._settled.get(key) == mark

    def forget(self, key: Key) -> None:
        """Forget a policy that is gone."""
        self._read.pop(key, None)
        self._settled.pop(key, None)

    def _policy(self, policy: Object) -> Intent:
        key, uid = of_policy(policy), policy["metadata"].get("uid", "")
        generation = int(policy["metadata"].get("generation", 0))
        known = self._read.get(key)
        if known is not None and known[:2] == (uid, generation):
            self._read.move_to_end(key)
            return known[2]
        found = intent.read(policy)
        self._read[key] = (uid, generation, found)
        self._read.move_to_end(key)
        if len(self._read) > self.read_max:
            self._read.popitem(last=False)
        return found

    def _ceiling(self, obj: Object) -> Ceiling:
        place = (str(obj["metadata"].get("uid", "")), int(obj["metadata"].get("generation", 0)))
        if place not in self._ceilings:
            if len(self._ceilings) >= CEILINGS_MAX:
                self._ceilings.clear()
            self._ceilings[place] = ceiling.read(obj)
        return self._ceilings[place]


def mark(snapshot: Snapshot, *, may_roll: bool) -> Mark:
    """Give a snapshot's mark: the versions of all that is in it."""
    ones = (
        snapshot.policy, snapshot.account, snapshot.config, snapshot.quota, snapshot.priority_class,
        snapshot.service, snapshot.namespace, snapshot.namespace_quota,
    )  # fmt: skip
    many = (
        snapshot.network_policies, snapshot.pods, snapshot.claims, snapshot.ceilings, snapshot.neighbours,
        snapshot.incidents, snapshot.elsewhere,
    )  # fmt: skip
    return (
        may_roll,
        snapshot.gateway,
        snapshot.missing_files,
        tuple((place, _version(obj)) for place, obj in sorted(snapshot.services.items())),
        enforcement.mark(snapshot),
        *(_version(obj) for obj in ones),
        *(tuple(_version(obj) for obj in objects) for objects in many),
    )


def _version(obj: Object | None) -> str:
    return "" if obj is None else str(obj["metadata"].get("resourceVersion", ""))
