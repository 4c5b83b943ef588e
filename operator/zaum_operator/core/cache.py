"""What the operator knows of the cluster: the newest version of each object that it has seen, from whatever source.

Watches, lists and the answers to our own writes come in any order, doubled, late, or not at all. The rules:

- Of two versions of an object the one with the higher resourceVersion stays: nothing here gets older. So a reconcile
  never acts on a state older than its own writes.
- A deletion is remembered by uid and version (a tombstone): what was said of that object before it does not bring it
  back. What is said of it afterwards does: with a watch filtered by label "deleted" may mean "not selected any more".
- A list takes away what it does not contain, unless that is newer than the list.

Objects are kept packed: what is given out costs its unpacking. Nothing that is given out may be changed by whoever
gets it: of the kinds that are kept plain it is the cache's own.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from zaum_api import contract
from zaum_operator.core import keys, packed, trim
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object

TOMBSTONES: Final = 20_000
"""How many deletions are remembered; far more than can be under way between a watch and a list."""
FOREVER: Final = 2**63
"""The version of a deletion that the API server confirmed: nothing of that uid can follow."""
Place = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""


class Change(Enum):
    """What an object meant to the cache."""

    NOTHING = "known already, or older than what is known"
    VERSION = "another version in which nothing has changed that anybody looks at"
    CONTENT = "something that decisions look at has changed"


@dataclass(slots=True)
class _Shelf:
    objects: dict[Place, bytes | Object] = field(default_factory=dict)
    versions: dict[Place, int] = field(default_factory=dict)
    by_policy: dict[Key, set[Place]] = field(default_factory=dict)
    by_namespace: dict[str, set[Place]] = field(default_factory=dict)
    loose: dict[str, set[Place]] = field(default_factory=dict)
    """By namespace: those that no policy owns under the name that it must have."""


@dataclass(slots=True)
class Cache:
    """Objects by kind and place, with indexes by policy and by namespace."""

    plain: frozenset[Kind] = frozenset()
    """Kinds that are not packed, because each look at one object looks at all of its namespace."""
    _shelves: dict[Kind, _Shelf] = field(default_factory=dict)
    _gone: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _words: trim.Words = field(default_factory=dict)

    def put(self, kind: Kind, obj: Object) -> Change:
        """Take in a version of an object."""
        metadata = obj["metadata"]
        newer = version(obj)
        if self._gone.get(metadata.get("uid", ""), -1) >= newer:
            return Change.NOTHING
        place = place_of(kind, obj)
        shelf = self._shelf(kind)
        if shelf.versions.get(place, -1) >= newer:
            return Change.NOTHING
        kept = trim.of(kind, obj, self._words)
        known = shelf.objects.get(place)
        if known is not None and _same(_read(known), kept):
            shelf.objects[place], shelf.versions[place] = self._kept(kind, kept), newer
            return Change.VERSION
        self._store(kind, place, kept)
        return Change.CONTENT

    def drop(self, kind: Kind, obj: Object) -> Change:
        """Take in that a watch calls an object deleted, with the version of its deletion."""
        return self.forget(kind, place_of(kind, obj), uid=obj["metadata"].get("uid", ""), at=version(obj))

    def forget(self, kind: Kind, place: Place, *, uid: str, at: int = FOREVER) -> Change:
        """Take in that the object with this uid is gone since a version."""
        self._bury(uid, at)
        known = self._object(kind, place)
        if known is None or known["metadata"].get("uid", "") != uid or version(known) > at:
            return Change.NOTHING
        self._take(kind, place)
        return Change.CONTENT

    def retain(self, kind: Kind, there: set[Place], *, at: int, namespace: str = "") -> tuple[Object, ...]:
        """Take away what a list that was made at a version did not contain; give what that was."""
        gone: list[Object] = []
        shelf = self._shelf(kind)
        held = shelf.by_namespace.get(namespace, set()) if namespace else set(shelf.objects)
        for place in held - there:
            if shelf.versions[place] <= at:
                known = _read(shelf.objects[place])
                self.forget(kind, place, uid=known["metadata"].get("uid", ""), at=at)
                gone.append(known)
        return tuple(gone)

    def start_over(self, kind: Kind) -> None:
        """Forget all objects of a kind, and every deletion: versions have begun anew."""
        self._shelves.pop(kind, None)
        self._gone.clear()

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Give one object."""
        return self._object(kind, (namespace or "" if kind.namespaced else "", name))

    def places(self, kind: Kind, namespace: str = "") -> list[Place]:
        """Give where all objects of a kind stand, of one namespace or of all, in order, and unpack none."""
        shelf = self._shelf(kind)
        return sorted(shelf.by_namespace.get(namespace, ()) if namespace else shelf.objects)

    def all(self, kind: Kind, namespace: str = "") -> tuple[Object, ...]:
        """Give all objects of a kind, of one namespace or of all, in order of their names."""
        return self._unpacked(kind, self.places(kind, namespace))

    def of_policy(self, kind: Kind, key: Key) -> tuple[Object, ...]:
        """Give the objects that concern a policy, by owner or by label, in order of their names."""
        return self._unpacked(kind, sorted(self._shelf(kind).by_policy.get(key, ())))

    def loose(self, kind: Kind, namespace: str) -> tuple[Object, ...]:
        """Give a namespace's objects that are not a policy's own under the name that it must have."""
        return self._unpacked(kind, sorted(self._shelf(kind).loose.get(namespace, ())))

    def policies(self, kind: Kind) -> set[Key]:
        """Give the keys of all policies that objects of a kind concern."""
        return set(self._shelf(kind).by_policy)

    def count(self, kind: Kind) -> int:
        """Count the objects of a kind."""
        return len(self._shelf(kind).objects)

    def _shelf(self, kind: Kind) -> _Shelf:
        return self._shelves.setdefault(kind, _Shelf())

    def _kept(self, kind: Kind, obj: Object) -> bytes | Object:
        return obj if kind in self.plain else packed.pack(obj)

    def _object(self, kind: Kind, place: Place) -> Object | None:
        known = self._shelf(kind).objects.get(place)
        return None if known is None else _read(known)

    def _unpacked(self, kind: Kind, places: Iterable[Place]) -> tuple[Object, ...]:
        objects = self._shelf(kind).objects
        return tuple(_read(objects[place]) for place in places)

    def _store(self, kind: Kind, place: Place, obj: Object) -> None:
        self._take(kind, place)
        shelf = self._shelf(kind)
        shelf.objects[place], shelf.versions[place] = self._kept(kind, obj), version(obj)
        for index, entry in _entries(kind, obj):
            _index(shelf, index).setdefault(entry, set()).add(place)

    def _take(self, kind: Kind, place: Place) -> None:
        shelf = self._shelf(kind)
        known = shelf.objects.pop(place, None)
        if known is None:
            return
        del shelf.versions[place]
        for index, entry in _entries(kind, _read(known)):
            found = _index(shelf, index)
            found[entry].discard(place)
            if not found[entry]:
                del found[entry]

    def _bury(self, uid: str, at: int) -> None:
        self._gone[uid] = max(at, self._gone.pop(uid, at))
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)


def _read(kept: bytes | Object) -> Object:
    return packed.unpack(kept) if isinstance(kept, bytes) else kept


class _Index(Enum):
    POLICY = "by policy"
    NAMESPACE = "by namespace"
    LOOSE = "loose"


def _index(shelf: _Shelf, index: _Index) -> dict[Key | str, set[Place]]:
    found = {_Index.POLICY: shelf.by_policy, _Index.NAMESPACE: shelf.by_namespace, _Index.LOOSE: shelf.loose}
    return found[index]  # type: ignore[return-value]


def _entries(kind: Kind, obj: Object) -> list[tuple[_Index, Key | str]]:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    concerned = keys.of_object(kind, obj)
    entries: list[tuple[_Index, Key | str]] = [(_Index.POLICY, key) for key in concerned]
    if namespace and kind.namespaced:
        entries.append((_Index.NAMESPACE, namespace))
        owner = keys.owner_name(obj)
        if not owner or metadata["name"] != contract.child_name(owner):
            entries.append((_Index.LOOSE, namespace))
    return entries


def place_of(kind: Kind, obj: Object) -> Place:
    """Give where an object stands among those of its kind."""
    metadata = obj["metadata"]
    return (metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])


def version(obj: Object) -> int:
    """Read a resourceVersion as the number that it is (KEP-5504); what is none counts as the oldest."""
    text = str(obj["metadata"].get("resourceVersion", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _same(one: Object, other: Object) -> bool:
    """Compare all but the version."""
    first, second = one["metadata"], other["metadata"]
    if first.get("uid") != second.get("uid") or one.keys() != other.keys() or first.keys() != second.keys():
        return False
    return all(first[key] == second[key] for key in first if key != "resourceVersion") and all(
        one[key] == other[key] for key in one if key != "metadata"
    )
