"""Drawn specs: pydantic and the schema agree on each, and where only pydantic refuses it names a rule of the schema."""

from typing import Any

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

import definitions
from tests.support import fuzz, schemas, specs
from tests.support.properties import examples
from zaum_api import contract, quantities
from zaum_api.v1alpha1 import ceiling, incident, model, policy

SPECS: dict[str, type[model.Model]] = {
    contract.KIND_POLICY: policy.Spec,
    contract.KIND_CEILING: ceiling.Spec,
    contract.KIND_INCIDENT: incident.Spec,
}
READERS = {definition.kind: schemas.SpecReader(definition) for definition in definitions.ALL}
RULES = {definition.kind: schemas.messages(definition.schema()) for definition in definitions.ALL}
CALM = hypothesis.settings(
    max_examples=examples(80),
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
MANY = hypothesis.settings(CALM, max_examples=examples(250))
MOST = hypothesis.settings(CALM, max_examples=examples(400))


def refused(kind: str, spec: Any) -> list[str]:
    """Give pydantic's messages, none when it takes the spec."""
    try:
        SPECS[kind].model_validate(spec)
    except pydantic.ValidationError as error:
        return [item["msg"] for item in error.errors(include_url=False)]
    return []


def by_rule(kind: str, messages: list[str]) -> bool:
    return all(any(rule in message for rule in RULES[kind]) for message in messages)


@CALM
@hypothesis.given(fuzz.good_policies())
def test_a_drawn_policy_is_good_in_both_layers(spec: dict[str, Any]) -> None:
    assert refused(contract.KIND_POLICY, spec) == []
    assert READERS[contract.KIND_POLICY].takes(spec)


@CALM
@hypothesis.given(fuzz.good_ceilings())
def test_a_drawn_ceiling_is_good_in_both_layers(spec: dict[str, Any]) -> None:
    assert refused(contract.KIND_CEILING, spec) == []
    assert READERS[contract.KIND_CEILING].takes(spec)


@CALM
@hypothesis.given(fuzz.good_incidents())
def test_a_drawn_incident_is_good_in_both_layers(spec: dict[str, Any]) -> None:
    assert refused(contract.KIND_INCIDENT, spec) == []
    assert READERS[contract.KIND_INCIDENT].takes(spec)


@pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.kind)
@MANY
@hypothesis.given(data=st.data())
def test_both_layers_agree_on_a_near_miss(definition: definitions.Definition, data: st.DataObject) -> None:
    spec = data.draw(fuzz.near_misses(definition))
    messages = refused(definition.kind, spec)
    if READERS[definition.kind].takes(spec):
        assert by_rule(definition.kind, messages), "the schema takes it, and no rule refuses it"
    else:
        assert messages, "the schema refuses it, pydantic does not"


def test_a_near_miss_is_mostly_bad_and_misses_in_many_ways() -> None:
    seen: set[str] = set()

    @MOST
    @hypothesis.given(fuzz.near_misses(definitions.POLICY))
    def draw(spec: dict[str, Any]) -> None:
        seen.update(refused(contract.KIND_POLICY, spec))

    draw()
    assert len(seen) > 20


@CALM
@hypothesis.given(data=st.data(), memory=st.integers(1, 2**43))
def test_equal_quantities_have_one_verdict_in_every_spelling(data: st.DataObject, memory: int) -> None:
    one, other = data.draw(fuzz.spellings(memory)), data.draw(fuzz.spellings(memory))
    assert quantities.parse(one) == quantities.parse(other) == memory
    verdicts = {bool(refused(contract.KIND_POLICY, specs.resources(memory=written))) for written in (one, other)}
    assert verdicts == {not 16 * 2**20 <= memory <= 4 * 2**40}
    assert READERS[contract.KIND_POLICY].takes(specs.resources(memory=one))
