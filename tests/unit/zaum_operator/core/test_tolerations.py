"""Whether a granted toleration covers one that is asked for: against every taint there is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_operator.core import tolerations
from zaum_operator.core.tolerations import Toleration

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TAINTS = [(key, value, effect) for key in ("a", "b") for value in ("", "x", "y") for effect in EFFECTS]
TOLERATIONS = st.builds(
    lambda key, exists, value, effect, seconds: tolerations.read(
        {
            "key": key or None,
            "operator": "Exists" if exists or not key else "Equal",
            "value": None if exists or not key else value,
            "effect": effect,
            "tolerationSeconds": seconds if effect == "NoExecute" else None,
        }
    ),
    st.sampled_from(["", "a", "b"]), st.booleans(), st.sampled_from(["", "x", "y"]),
    st.sampled_from([None, *EFFECTS]), st.sampled_from([None, 0, 30, 60]),
)  # fmt: skip


def tolerates(toleration: Toleration, taint: tuple[str, str, str]) -> float:
    """Give for how long a taint is tolerated, as the scheduler and the taint manager read it; 0: not at all."""
    key, value, effect = taint
    matches = (
        (not toleration.key or toleration.key == key)
        and (toleration.exists or toleration.value == value)
        and (not toleration.effect or toleration.effect == effect)
    )
    if not matches:
        return -1
    return float("inf") if toleration.seconds is None else toleration.seconds


@given(TOLERATIONS, TOLERATIONS)
def test_a_grant_covers_exactly_what_tolerates_no_more_and_no_longer(granted: Toleration, asked: Toleration) -> None:
    if tolerations.covers(granted, asked):
        assert all(tolerates(granted, taint) >= tolerates(asked, taint) for taint in TAINTS)


@given(TOLERATIONS)
def test_each_covers_itself_and_is_written_as_it_is_read(one: Toleration) -> None:
    assert tolerations.covers(one, one)
    assert tolerations.read(tolerations.write(one)) == one


@pytest.mark.parametrize(
    ("granted", "asked", "covered"),
    [
        ({"operator": "Exists"}, {"key": "a", "value": "x"}, True),
        ({"key": "a", "operator": "Exists"}, {"key": "a", "value": "x", "effect": "NoSchedule"}, True),
        ({"key": "a", "value": "x"}, {"key": "a", "operator": "Exists"}, False),
        ({"key": "a", "value": "x"}, {"key": "a", "value": "y"}, False),
        ({"key": "a", "operator": "Exists", "effect": "NoSchedule"}, {"key": "a", "operator": "Exists"}, False),
        ({"key": "a", "operator": "Exists"}, {"operator": "Exists"}, False),
        ({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
         {"key": "a", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
         {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}, True),
    ],
)  # fmt: skip
def test_examples(granted: dict[str, Any], asked: dict[str, Any], covered: bool) -> None:
    assert tolerations.covers(tolerations.read(granted), tolerations.read(asked)) is covered


def test_other_spellings_of_the_same_are_the_same() -> None:
    one, other = {"key": "a", "operator": "Equal", "value": ""}, {"key": "a"}
    assert tolerations.write(tolerations.read(one)) == tolerations.write(tolerations.read(other))
    exists = tolerations.read({"key": "a", "operator": "Exists", "value": ""})
    assert exists.text == "a"
