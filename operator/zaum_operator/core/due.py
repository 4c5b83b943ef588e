"""Which keys a changed object makes due. The content counts for nothing here: the reconcile looks for itself."""

from collections.abc import Iterable

from zaum_api import contract
from zaum_operator.core import keys, kinds
from zaum_operator.core.cache import Cache
from zaum_operator.core.keys import EVERY, Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.watched import Watched

ALL: Key = Key("", EVERY)
"""Every policy of every namespace."""


def by(kind: Kind, obj: Object, *, gone: bool) -> tuple[Key, ...]:
    """Give the keys that an object makes due that has changed, or has gone."""
    if kind is kinds.POLICY:
        return (keys.of_policy(obj),)
    if kind is kinds.CEILING:
        return (ALL,)
    if kind is kinds.INCIDENT:
        return keys.of_incident(obj)
    if kind is kinds.NAMESPACE:
        name = obj["metadata"]["name"]
        return () if gone else (Key(name), Key(name, EVERY))
    own = keys.of_child(obj)
    namespace = obj["metadata"].get("namespace")
    if kind in {kinds.NETWORK_POLICY, kinds.QUOTA} and keys.owner(obj) is None:
        # The guard, the quota of the namespace, or a foreign one: it concerns all policies of the namespace.
        return (*own, Key(namespace), Key(namespace, EVERY))
    if kind is kinds.POD and gone:
        # The last one takes the guard along. First: one whose labels were taken off looks like gone, and must be found
        # before its policy makes another in its place.
        return (Key(namespace), *own)
    return own


def everything(cache: Cache, watched: Watched) -> set[Key]:
    """Give all keys that there is anything of: policies, what policies have left behind, namespaces with a guard."""
    policies = {key for kind, _ in watched for key in cache.policies(kind)}
    return policies | set(_guarded(cache))


def _guarded(cache: Cache) -> Iterable[Key]:
    for namespace, name in cache.places(kinds.NETWORK_POLICY):
        if name == contract.GUARD_NAME:
            yield Key(namespace)
