"""At every moment of any schedule, with crashes and two leaders, each client trusts each leaf that it may meet."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.support.properties import examples
from tests.unit.zaum_operator.core.certificates import model
from zaum_operator.core.certificates import rotation, stored, view
from zaum_operator.core.certificates.steadiness import Steadiness

TICKS = 1800
"""More than an hour and a half of the model's time: four lives of an authority."""


OLD_NEWS = 2321
"""Here a leader of before takes a new authority away from a watchdog for a moment, unseen by its successor."""


def played(seed: int, lives: view.Lives = model.LIVES) -> model.Cluster:
    cluster = model.Cluster(seed, lives)
    for _ in range(TICKS):
        cluster.tick()
    return cluster


@settings(max_examples=examples(25))
@given(seed=st.integers(0, 2**32))
@example(seed=OLD_NEWS)
def test_nobody_meets_a_leaf_that_it_does_not_trust(seed: int) -> None:
    try:
        cluster = played(seed)
    except model.UntrustedError as error:
        pytest.fail(str(error))
    assume(not cluster.urgent)
    assert cluster.made >= 4
    assert cluster.retired >= 3
    assert len(cluster.secrets[model.ROOT].latest.bundle) <= 2


def test_the_model_notices_a_leaf_that_is_signed_too_early() -> None:
    hasty = replace(model.LIVES, settle=timedelta())
    with pytest.raises(model.UntrustedError):
        played(1, hasty)


def test_the_model_notices_news_that_are_late_twice() -> None:
    with pytest.raises(model.UntrustedError):
        played(OLD_NEWS, replace(model.LIVES, settle=model.LATE * 1.05))


def test_the_model_notices_an_authority_that_is_taken_out_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def retire_at_once(case: rotation.Case, root: view.Root) -> rotation.Step | None:
        return rotation.Retire() if len(root.bundle) > 1 else None

    monkeypatch.setattr(rotation, "RULES", (*rotation.RULES[:3], retire_at_once, *rotation.RULES[3:]))
    with pytest.raises(model.UntrustedError):
        played(1)


def test_the_model_notices_writes_on_top_of_an_old_view(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(self: model.Cluster, operator: model.Operator, name: str, seen: object, fresh: object) -> bool:
        self.secrets[name].put(self.now, fresh)
        return True

    monkeypatch.setattr(model.Cluster, "_write", always)
    with pytest.raises(model.UntrustedError):
        [played(seed) for seed in range(10)]


def test_every_secret_of_the_model_is_one_of_ours() -> None:
    assert {model.GATEWAY, model.AUTHORIZER, model.LEDGER} == set(stored.HOLDERS)


def test_time_starts_anew_with_every_change_and_with_everybody_who_is_behind() -> None:
    now = model.START
    first = Steadiness().seen("a", complete=True, now=now)
    later = now + timedelta(seconds=5)
    assert first.seen("a", complete=True, now=later).since == now
    assert first.seen("b", complete=True, now=later).since == later
    assert first.seen("a", complete=False, now=later).since is None
    assert first.seen("a", complete=False, now=later).seen("a", complete=True, now=later).since == later
