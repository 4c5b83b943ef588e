"""The table of steps, row by row: what is there, and what is done next."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zaum_operator.core.certificates import rotation
from zaum_operator.core.certificates.view import Authority, Holder, Leaf, Lives, Root, View

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LIVES = Lives(authority=360 * DAY, leaf=90 * DAY, settle=timedelta(minutes=5))
OLD = Authority("old", NOW - 250 * DAY, NOW + 110 * DAY)
YOUNG = Authority("young", NOW - DAY, NOW + 359 * DAY)


def leaf(issuer: str = "young", *, age: float = 1, left: float = 89) -> Leaf:
    return Leaf(issuer, NOW - age * DAY, NOW + left * DAY)


def holder(*bundle: Authority, leafs: Mapping[str, Leaf | None] | None = None, root: int = 3) -> Holder:
    return Holder(revision=7, root=root, bundle=bundle or (YOUNG,), leafs=leafs or {"tls": leaf()})


def view(*bundle: Authority, **holders: Holder | None) -> View:
    held = {"gateway": holder(*bundle), "authorizer": holder(*bundle)}
    return View(Root(3, bundle or (YOUNG,)), {**held, **holders})


SETTLED = NOW - LIVES.settle
JUST_NOW = NOW - timedelta(seconds=1)
BOTH = (OLD, YOUNG)
OLD_LEAF = {"tls": leaf("old", age=50, left=40)}
EXPIRED = Authority("expired", NOW - 400 * DAY, NOW - DAY)

ROWS: dict[str, tuple[View, Any, rotation.Step]] = {
    "nothing is there: the first authority": (
        View(None, {"gateway": None, "authorizer": None}), None,
        rotation.MakeAuthority(1, ()),
    ),
    "the root is lost: what the holders show stays trusted": (
        View(None, {"gateway": holder(EXPIRED, OLD, root=9), "authorizer": None}), None,
        rotation.MakeAuthority(10, (OLD,)),
    ),
    "a holder knows a later root: ours is an old view": (
        view(OLD, gateway=holder(OLD, YOUNG, root=4)), SETTLED,
        rotation.LookAgain(),
    ),
    "two thirds of the authority's life: the next one, and the last stays trusted": (
        view(OLD, gateway=holder(OLD, leafs={"tls": leaf("old")}), authorizer=holder(OLD, leafs={"tls": leaf("old")})),
        SETTLED,
        rotation.MakeAuthority(4, (OLD,)),
    ),
    "the next authority is handed out before anything is signed by it": (
        view(OLD, YOUNG, gateway=holder(OLD, leafs=OLD_LEAF)), SETTLED,
        rotation.HandOut("gateway"),
    ),
    "an empty Secret is filled at once": (
        view(gateway=None), None,
        rotation.Sign(("gateway",), "the Secret is empty"),
    ),
    "one leaf of two is missing": (
        view(gateway=holder(YOUNG, leafs={"tls": leaf(), "client": None})), None,
        rotation.Sign(("gateway",), "a leaf is missing or of an unknown authority"),
    ),
    "a leaf of an authority that nobody trusts": (
        view(gateway=holder(YOUNG, leafs={"tls": leaf("")})), None,
        rotation.Sign(("gateway",), "a leaf is missing or of an unknown authority"),
    ),
    "an expired leaf": (
        view(gateway=holder(YOUNG, leafs={"tls": leaf(age=91, left=-1)})), None,
        rotation.Sign(("gateway",), "a leaf has expired"),
    ),
    "everybody trusts the next authority: it signs": (
        view(*BOTH, gateway=holder(*BOTH, leafs=OLD_LEAF)), SETTLED,
        rotation.Sign(("gateway",), "everybody trusts the next authority"),
    ),
    "it signs for all in one go": (
        view(*BOTH, gateway=holder(*BOTH, leafs=OLD_LEAF), authorizer=holder(*BOTH, leafs=OLD_LEAF)), SETTLED,
        rotation.Sign(("authorizer", "gateway"), "everybody trusts the next authority"),
    ),
    "not everybody does yet: wait": (
        view(*BOTH, gateway=holder(*BOTH, leafs=OLD_LEAF)), JUST_NOW,
        rotation.Rest(JUST_NOW + LIVES.settle, "the next authority to be trusted"),
    ),
    "somebody never does, and the leaf runs out: sign": (
        view(*BOTH, gateway=holder(*BOTH, leafs={"tls": leaf("old", age=76, left=14)})), None,
        rotation.Sign(
            ("gateway",), "a leaf expires soon, although not everybody may trust the next authority yet"
        ),
    ),
    "two thirds of a leaf's life: renew it, without any wait": (
        view(gateway=holder(YOUNG, leafs={"tls": leaf(age=61, left=29)})), None,
        rotation.Sign(("gateway",), "two thirds of a leaf's life are over"),
    ),
    "an authority whose leafs are gone leaves the bundle": (
        view(*BOTH), SETTLED,
        rotation.Retire(),
    ),
    "its leafs may still be somewhere: wait": (
        view(*BOTH), JUST_NOW,
        rotation.Rest(JUST_NOW + LIVES.settle, "the last authority's leafs to go"),
    ),
    "all is well: rest until the first leaf is due": (
        view(gateway=holder(YOUNG, leafs={"tls": leaf(age=30, left=60)})), SETTLED,
        rotation.Rest(NOW + 30 * DAY),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "steady", "step"), ROWS.values(), ids=ROWS)
def test_step(seen: View, steady: datetime | None, step: rotation.Step) -> None:
    assert rotation.decide(seen, now=NOW, lives=LIVES, steady=steady) == step


def test_the_question_for_watchdogs_is_asked_only_while_leafs_wait() -> None:
    assert rotation.in_rotation(view(*BOTH, gateway=holder(*BOTH, leafs=OLD_LEAF)))
    assert not rotation.in_rotation(view(*BOTH))
    assert not rotation.in_rotation(View(None, {"gateway": holder(*BOTH, leafs=OLD_LEAF)}))


def test_every_write_changes_the_mark() -> None:
    seen = view()
    assert seen.root is not None
    changed = replace(seen, root=replace(seen.root, revision=4))
    assert len({seen.mark, changed.mark, view(gateway=None).mark, View(None, {}).mark}) == 4


@pytest.mark.parametrize(
    ("lives", "problem"),
    [
        (LIVES, ""),
        (replace(LIVES, authority=100 * DAY), "an authority must live at least 3 times as long as a leaf"),
        (replace(LIVES, settle=20 * DAY), "a leaf must live at least 12 times as long as changes need to settle"),
        (replace(LIVES, settle=timedelta()), "changes need some time to settle"),
    ],
)
def test_lives_fit_each_other(lives: Lives, problem: str) -> None:
    assert lives.problem() == problem
