"""Group 15: by the hand of Kubernetes' own controllers, and where admission is taken away."""

from collections.abc import Callable, Iterator
from typing import Final

from tests.battery.deeds import Scene
from tests.battery.groups.byhand import ACCOUNT, BOTH, GROUP, IDENTITY, LABELLED
from tests.battery.yard import Yard
from tests.support import edits
from tests.support.e2e import admission, tampering
from tests.support.e2e.api import NotSeenError, Object, condition
from tests.support.e2e.controls import control, holds
from tests.support.e2e.tampering import POLICY, Prey
from zaum_api import contract

UNDONE: Final = "an edit where admission is taken away, undone within 5 s"
WITHIN_SECONDS: Final = 5.0
CONTROLLER_SECONDS: Final = 30.0


def scenes(yard: Yard) -> Iterator[Scene]:
    """Have a Deployment make pods that are an agent's."""
    cases: dict[str, tuple[str, Object, Object, str]] = {
        "ServiceAccount": (IDENTITY, {}, {"serviceAccountName": ACCOUNT}, "ServiceAccounts of agents"),
        "PriorityClass": (
            IDENTITY, {}, {"priorityClassName": contract.cluster_name(yard.namespace, POLICY)},
            "PriorityClasses of agents",
        ),
        "labels": (LABELLED, BOTH, {}, "only the Zaum operator may create"),
    }  # fmt: skip
    for title, (line, labels, spec, words) in cases.items():
        yield Scene(GROUP, line, f"{title}, by a Deployment", by_deployment(yard, title.lower(), labels, spec, words))


def by_deployment(yard: Yard, title: str, labels: Object, spec: Object, words: str) -> Callable[[], str]:
    """Give the scene; its control is a Deployment of pods that are nobody's."""

    def play() -> str:
        made: dict[str, tuple[Object, Object]] = {f"honest-{title}": ({}, {}), f"poser-{title}": (labels, spec)}
        for name, parts in made.items():
            yard.owner.create("deployments", deployment(yard.namespace, name, *parts))
        try:
            return failed()
        finally:
            for name in made:
                yard.owner.delete("deployments", yard.namespace, name)  # it would try again, and for ever

    def failed() -> str:
        try:
            until(yard, f"honest-{title}", lambda seen: seen.get("status", {}).get("replicas", 0) == 1)
        except NotSeenError as error:
            control(fact=False, what=f"an honest Deployment makes a pod: {error}")
        seen = until(yard, f"poser-{title}", lambda seen: condition(seen, "ReplicaFailure").get("status") == "True")
        said = condition(seen, "ReplicaFailure")["message"]
        holds(words in said, f"it failed by something else: {said}")
        pods = yard.api.items("pods", yard.namespace, labels=f"poser={title}")
        holds(not pods, f"{len(pods)} pods were made")
        return words

    return play


def until(yard: Yard, name: str, reached: Callable[[Object], bool]) -> Object:
    """Wait for a Deployment."""
    return yard.api.until(
        "deployments", yard.namespace, name, reached, seconds=CONTROLLER_SECONDS, what=f"the Deployment {name}"
    )


def deployment(namespace: str, name: str, labels: Object, spec: Object) -> Object:
    """Give a Deployment of one pod that no node takes."""
    kind, _, title = name.partition("-")
    template = admission.body("pods", namespace)
    own = {"app": name, kind: title}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": own},
            "template": {"metadata": {"labels": own | labels}, "spec": template["spec"] | spec},
        },
    }  # fmt: skip


def without_admission(yard: Yard) -> Iterator[Scene]:
    """Edit each child while our admission is away: the operator makes it as it was. All edits are tried elsewhere."""
    for edit in chosen():
        yield Scene(GROUP, UNDONE, edit.id, undone(yard.prey, edit))


def chosen() -> list[edits.Edit]:
    """Give three edits of each child; the first one removes it."""
    kept: list[edits.Edit] = []
    for child in edits.RESOURCES:
        own = [edit for edit in edits.TABLE if edit.child == child]
        kept += [own[0], own[-1], own[len(own) // 2]]
    return kept


def undone(prey: Prey, edit: edits.Edit) -> Callable[[], str]:
    """Give the scene; its control is that the edit is done, which only the missing admission explains."""

    def play() -> str:
        took = prey.restored(edit, within=WITHIN_SECONDS)
        tampering.settled(prey)
        return f"undone in {took:.2f} s"

    return play
