"""Every layer that this machine has gives the table's verdict: pydantic, and the schema as the API server reads it."""

import operator
from typing import Any, Final

import pydantic
import pytest

import definitions
from tests.support import schemas, specs
from tests.support.specs import Case, Refusal
from zaum_api import contract
from zaum_api.v1alpha1 import ceiling, incident, model, policy

TITLE = operator.attrgetter("title")
ALL: Final = (
    *(specs.GOOD + specs.BAD),
    *(specs.GOOD_CEILINGS + specs.BAD_CEILINGS),
    *(specs.GOOD_INCIDENTS + specs.BAD_INCIDENTS),
    *specs.EVERY_FIELD,
)
GOOD: Final = [case for case in ALL if case.refused is None]
BAD: Final = [case for case in ALL if case.refused is not None]
MODELS: Final[dict[str, type[model.Model]]] = {
    contract.KIND_POLICY: policy.AgentPolicy,
    contract.KIND_CEILING: ceiling.AgentCeiling,
    contract.KIND_INCIDENT: incident.Incident,
}
READERS: Final = {definition.kind: schemas.SpecReader(definition) for definition in definitions.ALL}
TABLES: Final = [
    pytest.param(definitions.POLICY, specs.GOOD, specs.BAD, specs.BAD_CHANGES, id="policies"),
    pytest.param(definitions.CEILING, specs.GOOD_CEILINGS, specs.BAD_CEILINGS, (), id="ceilings"),
    pytest.param(
        definitions.INCIDENT,
        specs.GOOD_INCIDENTS,
        specs.BAD_INCIDENTS,
        specs.BAD_INCIDENT_CHANGES,
        id="incidents",
    ),
]


def test_the_table_is_long_and_names_each_case_once() -> None:
    titles = [(case.kind, case.title) for case in ALL]
    assert len(titles) == len(set(titles))
    assert len(specs.GOOD + specs.BAD) >= 120
    assert len(specs.EVERY_FIELD) >= 120


@pytest.mark.parametrize("case", GOOD, ids=TITLE)
def test_a_good_object_passes_pydantic_and_the_schema(case: Case) -> None:
    MODELS[case.kind].model_validate(case.manifest())
    assert READERS[case.kind].takes(case.spec)


@pytest.mark.parametrize("case", BAD, ids=TITLE)
def test_a_bad_object_is_refused_by_pydantic(case: Case) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        MODELS[case.kind].model_validate(case.manifest())
    if case.refused is Refusal.RULE:
        assert case.says in str(refused.value)


@pytest.mark.parametrize("case", BAD, ids=TITLE)
def test_the_schema_refuses_what_it_can_say_and_leaves_the_rest_to_rules(case: Case) -> None:
    assert READERS[case.kind].takes(case.spec) is (case.refused is Refusal.RULE)


@pytest.mark.parametrize("case", [case for case in BAD if case.says], ids=TITLE)
def test_what_a_bad_case_says_is_a_rule_of_its_kind(case: Case) -> None:
    definition = next(definition for definition in definitions.ALL if definition.kind == case.kind)
    assert any(case.says in message for message in schemas.messages(definition.schema()))


@pytest.mark.parametrize(("definition", "good", "bad", "changes"), TABLES)
def test_every_rule_has_a_bad_case_or_a_bad_change(
    definition: definitions.Definition, good: object, bad: tuple[Case, ...], changes: tuple[specs.Change, ...]
) -> None:
    said = [case.says for case in bad if case.says] + [change.says for change in changes]
    unsaid = [message for message in schemas.messages(definition.schema()) if not any(part in message for part in said)]
    assert not unsaid


def places(value: Any, schema: schemas.Schema, place: str = "") -> set[str]:
    """Give the places of a schema that a value reaches."""
    found = {place}
    if isinstance(value, list):
        for item in value:
            found |= places(item, schema.get("items", {}), f"{place}[]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key, item in value.items():
            found |= places(item, properties.get(key, {}), f"{place}.{key}" if key in properties else f"{place}{{}}")
    return found


@pytest.mark.parametrize(("definition", "good", "bad", "changes"), TABLES)
def test_every_field_of_the_schema_stands_in_a_good_case_and_in_a_bad_one(
    definition: definitions.Definition, good: tuple[Case, ...], bad: tuple[Case, ...], changes: object
) -> None:
    schema = definition.schema()["properties"]["spec"]
    fields = {place for place, _ in schemas.nodes(schema)}
    in_good = set().union(*(places(case.spec, schema) for case in good))
    in_bad = set().union(*(places(case.spec, schema) for case in bad))
    assert fields - in_good == set()
    assert fields - in_bad == set()


@pytest.mark.parametrize(
    ("definition", "full"),
    [
        (definitions.POLICY, specs.FULL),
        (definitions.CEILING, specs.FULL_CEILING),
        (definitions.INCIDENT, specs.FULL_INCIDENT),
    ],
)
def test_the_full_object_holds_every_field_that_this_version_acts_on(
    definition: definitions.Definition, full: dict[str, Any]
) -> None:
    schema = definition.schema()["properties"]["spec"]
    left = {place for place, _ in schemas.nodes(schema)} - places(full, schema)
    assert left <= {
        ".agent.liveness.tcpSocket",  # either this or httpGet
        ".agent.liveness.tcpSocket.port",
    }


NULLS: Final = [specs.limits(connections=None), {**specs.agent(), "egress": None}, specs.agent(nodeSelector=None)]


@pytest.mark.parametrize("spec", NULLS)
def test_i01_null_is_read_as_absent(spec: dict[str, Any]) -> None:
    absent = schemas.without_nulls(spec, READERS[contract.KIND_POLICY].schema)
    assert absent != spec
    read = policy.AgentPolicy.model_validate(Case("null", spec).manifest()).spec
    assert read == policy.AgentPolicy.model_validate(Case("absent", absent).manifest()).spec
