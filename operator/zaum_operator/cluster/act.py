"""Carry out a plan, in order, and stop at the first request that fails: what comes later relies on it."""

from typing import assert_never

from zaum_operator import errors
from zaum_operator.cluster.store import Store
from zaum_operator.core import actions
from zaum_operator.core.actions import Action
from zaum_operator.core.verdict import Failure


async def carry_out(store: Store, steps: tuple[Action, ...]) -> Failure | None:
    """Send all requests; give the one that failed, None when all went well."""
    for step in steps:
        try:
            await _send(store, step)
        except errors.RequestError as error:
            return Failure(step, error)
    return None


async def _send(store: Store, step: Action) -> None:
    match step:
        case actions.Apply(kind, body):
            await store.apply(kind, body)
        case actions.Create(kind, body):
            await store.create(kind, body)
        case actions.Merge(kind, namespace, name, patch):
            await store.merge(kind, namespace, name, patch)
        case actions.Delete(kind, namespace, name, uid):
            await store.delete(kind, namespace, name, uid=uid)
        case _:
            assert_never(step)
