"""What is done to a policy's pods: taken down, mended as they run, and made."""

from collections.abc import Callable, Iterable, Iterator

from zaum_api import contract
from zaum_operator.core import actions, kinds, pods, replacement
from zaum_operator.core.actions import Action
from zaum_operator.core.children import Draft
from zaum_operator.core.containment import held, noticing
from zaum_operator.core.containment.noticing import Child
from zaum_operator.core.kinds import Object
from zaum_operator.core.pods import Pod
from zaum_operator.core.render import config, pod
from zaum_operator.core.snapshot import Snapshot


def taken_down(snapshot: Snapshot, decision: replacement.Decision) -> list[Action]:
    """Delete pods, and end those that must stay to be read."""
    namespace = snapshot.key.namespace
    gone = [actions.Delete(kinds.POD, namespace, item.pod.name, item.pod.uid) for item in decision.delete]
    ended = [actions.Merge(kinds.POD, namespace, item.name, _ending(item)) for item in decision.end if not item.cut_off]
    return [*gone, *ended]


def _ending(item: Pod) -> dict[str, object]:
    """Cut a pod off and end it: with this label only the guard selects it, so nothing leaves while it dies.

    What only the authorizers know is noted on it: they forget it with the pod, or with their own process.
    """
    metadata: dict[str, object] = {"labels": {contract.LABEL_QUARANTINED: "true"}}
    if item.contact:
        metadata["annotations"] = {contract.ANNOTATION_BREACH: contract.Breach.GATEWAY_CONTACT.value}
    return {"metadata": metadata, "spec": {"activeDeadlineSeconds": pods.ENDING_SECONDS}}


def mended(
    snapshot: Snapshot,
    template: Object,
    decision: replacement.Decision,
    *,
    written: config.Written | None,
    lifetime: int | None,
) -> list[Action]:
    """Mend what may change on a live pod.

    That is its labels and owner, the digest that makes the kubelet fetch the config now, and a shorter life (seconds).
    """
    steps: list[Action] = []
    for item in decision.keep:
        patch: dict[str, object] = {}
        if metadata := _metadata(item, template, written):
            patch["metadata"] = metadata
        if lifetime is not None and (item.deadline is None or item.deadline > lifetime):
            patch["spec"] = {"activeDeadlineSeconds": lifetime}
        if patch:
            steps.append(actions.Merge(kinds.POD, snapshot.key.namespace, item.name, patch))
    return steps


def _metadata(item: Pod, template: Object, written: config.Written | None) -> dict[str, object]:
    found: dict[str, object] = {}
    have, need = dict(item.labels), pod.labels(template, item.ordinal or 0)
    if wrong := {key: value for key, value in need.items() if have.get(key) != value}:
        found["labels"] = wrong
    owners = template["metadata"]["ownerReferences"]
    if item.owner_uid != owners[0]["uid"]:
        found["ownerReferences"] = [dict(owner) for owner in owners]  # without it the pod would outlive its policy
    digest = config.digest(written or {}, item.config_version)
    if digest is not None and item.config_digest != digest:
        found["annotations"] = {contract.ANNOTATION_CONFIG_DIGEST: digest}
    return found


def standing(template: Object, seen: Iterable[Pod], want: replacement.Want) -> Iterator[Child]:
    """Say how the live pods of this plan stand beside it: their labels, and the agent's image."""
    image = dict(want.images).get(contract.CONTAINER_AGENT)
    for item in seen:
        ordinal = held.ordinal_of(item.name)
        if item.template != want.template or ordinal is None or item.phase is pods.Phase.ENDED:
            continue
        have, need = dict(item.labels), pod.labels(template, ordinal)
        same = all(have.get(key) == value for key, value in need.items())
        same = same and dict(item.images).get(contract.CONTAINER_AGENT) == image
        state = noticing.State.STANDS if same else noticing.State.CHANGED
        yield Child(kinds.POD.name, item.name, want.template, state)


def started(draft: Draft, want: replacement.Want, *, suffix: Callable[[int], str]) -> list[Action]:
    """Make the pods that the decision starts."""
    spec, digest = draft.intent.spec, config.digest(draft.written or {}, config.NEWEST)
    if spec is None or digest is None:
        return []
    return [
        actions.Create(
            kinds.POD,
            pod.render(
                pod.template(draft.intent, spec.agent, draft.effective, draft.site),
                want.template,
                site=want.site,
                ordinal=start.ordinal,
                suffix=suffix(start.ordinal),
                config_digest=digest,
                failures=start.failures,
                lifetime=want.lifetime,
            ),
        )
        for start in draft.decision.start
    ]
