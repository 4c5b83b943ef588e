"""I11: every edit by hand is undone within 5 s where admission lets it through, and refused where it does not."""

import concurrent.futures
import itertools
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import edits
from tests.support.e2e import tampering
from tests.support.e2e.agents import RESTRICTED
from tests.support.e2e.api import Api, NotSeenError, Object, condition
from tests.support.e2e.tampering import Prey
from zaum_api import contract

pytestmark = pytest.mark.alone
WITHIN_SECONDS = 5.0
EDITS = 120
"""At least a hundred, so each edit of the table comes once and many come twice."""
HERDS = 4
ADMISSION_SECONDS = 30.0
"""The API server's admission learns of bindings by a watch of its own."""
SETTLED_SECONDS = 60.0
OURS = f"{contract.LABEL_NAME}={contract.APP_NAME}"


@pytest.fixture(scope="module")
def herds(api: Api, images: dict[str, str]) -> Iterator[list[Prey]]:
    """Namespaces whose policies have every child, each with somebody who may write them all."""
    run = uuid.uuid4().hex[:6]
    names = [f"tamper-{run}-{index}" for index in range(HERDS)]
    made = []
    for name in names:
        meta = {"name": name, "labels": RESTRICTED}
        api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        made.append(Prey(api, tampering.hand(api, name), name, images["demo-agent"]))
    for prey in made:
        prey.make()
        settled(prey)
    yield made
    for name in names:
        tampering.drop_hand(api, name)
        api.delete("namespaces", "", name)


def settled(prey: Prey) -> None:
    """Wait until the policy and its pod are ready and the claim of the other one is there."""
    prey.api.until(
        "agentpolicies", prey.namespace, tampering.POLICY,
        lambda seen: condition(seen, "Ready").get("status") == "True",
        seconds=SETTLED_SECONDS, what="the policy is ready",
    )  # fmt: skip
    # The policy's word may be of a moment ago, when the pod of the edit before had not gone yet.
    prey.api.until_any(
        "pods", prey.namespace, "",
        lambda _: [condition(pod, "Ready").get("status") for pod in prey.pods()] == ["True"],
        seconds=SETTLED_SECONDS, what="the policy's pod is ready",
    )  # fmt: skip
    resource, where, name = edits.place("claim", prey.namespace, tampering.KEEPER)
    prey.api.until(resource, where, name, lambda _: True, seconds=SETTLED_SECONDS, what="the claim is there")


@contextmanager
def without_bindings(api: Api, probe: Prey) -> Iterator[None]:
    """Have no admission binding of ours for the time of the block; they are put back whatever happens."""
    kept = [bare(binding) for binding in api.items("validatingadmissionpolicybindings", labels=OURS)]
    assert kept, "the control: there are bindings to remove"
    try:
        for binding in kept:
            api.delete("validatingadmissionpolicybindings", "", binding["metadata"]["name"])
        until_admission(probe, refuses=False)
        yield
    finally:
        for binding in kept:
            api.apply("validatingadmissionpolicybindings", binding)
        until_admission(probe, refuses=True)


def bare(binding: Object) -> Object:
    """Give an object as it was made, so that it can be made again."""
    meta = binding["metadata"]
    kept = {key: meta[key] for key in ("name", "labels", "annotations") if key in meta}
    # An item of a list does not say its own kind.
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding"}
    return kind | {"metadata": kept, "spec": binding["spec"]}


def until_admission(probe: Prey, *, refuses: bool) -> None:
    """Wait until a harmless edit of each kind is refused, or is not."""
    deadline = time.monotonic() + ADMISSION_SECONDS
    pending = [edits.Edit("probe", child, {"metadata": {"labels": {"probe": "x"}}}) for child in edits.RESOURCES]
    while pending:
        if time.monotonic() > deadline:
            raise NotSeenError(f"admission: {[edit.child for edit in pending]} still not {refuses=}")
        pending = [edit for edit in pending if probe.would_refuse(edit) is not refuses]
        time.sleep(0.1)


def test_i11_with_admission_every_edit_of_the_table_is_refused(herds: list[Prey]) -> None:
    through = {}
    for edit in edits.TABLE:
        refusal = herds[0].refusal(edit)
        if refusal is None or refusal.status != 403 or "ValidatingAdmissionPolicy" not in refusal.message:
            through[edit.id] = str(refusal)
    assert through == {}


def test_i11_without_admission_every_edit_is_undone_within_5_s(api: Api, herds: list[Prey]) -> None:
    work = list(itertools.islice(itertools.cycle(edits.TABLE), max(EDITS, len(edits.TABLE))))
    assert {edit.child for edit in work} == set(edits.RESOURCES)
    took: dict[str, float] = {}
    failed: list[str] = []

    def graze(prey: Prey, mine: list[tuple[int, edits.Edit]]) -> None:
        for number, edit in mine:
            try:
                took[f"{number} {edit.id}"] = prey.restored(edit, within=WITHIN_SECONDS)
                settled(prey)
            except NotSeenError as error:
                failed.append(f"{edit.id}: {error}")
                prey.anew(SETTLED_SECONDS)
                settled(prey)

    with without_bindings(api, herds[0]), concurrent.futures.ThreadPoolExecutor(HERDS) as pool:
        shares = [list(enumerate(work))[index::HERDS] for index in range(HERDS)]
        for done in [pool.submit(graze, *pair) for pair in zip(herds, shares, strict=True)]:
            done.result()
    slowest = max(took, key=lambda title: took[title])
    print(f"tamper: {len(took)} edits undone, slowest {took[slowest]:.2f} s ({slowest})")
    assert failed == []
    assert len(took) >= 100
