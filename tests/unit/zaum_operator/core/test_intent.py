"""Reading policies that this version did not write the rules for."""

from typing import Any

import pytest

from tests.support import specs
from zaum_operator.core import intent


def read(spec: Any) -> intent.Intent:
    metadata = {"name": "x", "namespace": "agents", "uid": "u", "generation": 3}
    return intent.read({"metadata": metadata, "spec": spec})


@pytest.mark.parametrize("case", specs.GOOD, ids=lambda case: case.title)
def test_every_good_spec_is_read_whole(case: specs.Case) -> None:
    found = read(case.spec)
    assert found.spec is not None
    assert (found.unknown, found.problem, found.unknown_note) == ((), "", "")


REFUSED = [case for case in specs.BAD if not case.title.startswith("a name ")]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
def test_i01_a_bad_spec_that_got_past_admission_is_never_acted_on(case: specs.Case) -> None:
    found = read(case.spec)
    if found.unknown and found.spec is not None:
        assert case.refused is specs.Refusal.SCHEMA, "only a field that is not in the schema may be dropped"
        assert all(place.startswith("spec") for place in found.unknown)
        return
    assert found.spec is None
    assert "spec" in found.problem


def test_few_bad_specs_are_only_about_unknown_fields() -> None:
    dropped = [case for case in REFUSED if read(case.spec).spec is not None]
    assert 0 < len(dropped) < len(REFUSED) / 5


def test_unknown_fields_are_dropped_and_named_at_every_depth() -> None:
    spec = specs.agent(env=[{"name": "A", "value": "b", "from": 1}], novelty={"deep": {}})
    found = read({**spec, "other": None, "more": 1})
    assert found.spec is not None
    assert set(found.unknown) == {"spec.agent.env.0.from", "spec.agent.novelty", "spec.more"}
    assert "spec.more" in found.unknown_note


@pytest.mark.parametrize(
    ("written", "created"),
    [
        pytest.param({"creationTimestamp": "2026-11-23T00:00:07Z"}, 1_795_392_007, id="as the API server writes it"),
        pytest.param({}, 0, id="not written"),
    ],
)
def test_when_a_policy_was_made_is_read_in_whole_seconds(written: dict[str, str], created: int) -> None:
    metadata = {"name": "x", "namespace": "agents", "uid": "u"} | written
    assert intent.read({"metadata": metadata, "spec": specs.agent()}).created == created


def test_many_unknown_fields_are_counted() -> None:
    found = read({**specs.agent(), **{f"x{index}": 1 for index in range(9)}})
    assert found.unknown_note.endswith("and 4 more.")


@pytest.mark.parametrize("spec", [None, [], "spec", {"agent": []}, {"agent": {"image": 7}}])
def test_what_is_no_spec_is_said_and_not_acted_on(spec: Any) -> None:
    assert read(spec).spec is None
