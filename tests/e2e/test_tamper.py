"""I11: every edit by hand is undone within 5 s where admission lets it through, and refused where it does not."""

import concurrent.futures
import itertools
import uuid
from collections.abc import Iterator

import pytest

from tests.support import edits
from tests.support.e2e import tampering
from tests.support.e2e.agents import RESTRICTED
from tests.support.e2e.api import Api, NotSeenError
from tests.support.e2e.tampering import SETTLED_SECONDS, Prey, settled, without_bindings

pytestmark = pytest.mark.alone
WITHIN_SECONDS = 5.0
EDITS = 120
"""At least a hundred, so each edit of the table comes once and many come twice."""
HERDS = 4


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
