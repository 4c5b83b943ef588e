"""Every layer that this machine has gives the table's verdict: pydantic, and the schema as the API server reads it."""

import operator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pydantic
import pytest

import definitions
from tests.support import specs
from tests.support.specs import Case, Refusal
from zaum_api.v1alpha1 import policy

TITLE = operator.attrgetter("title")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Say in JSON Schema what the API server adds: unknown fields, and the keys of list-maps and sets."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    if "items" in schema:
        result["items"] = strict(schema["items"])
    if "pattern" in schema:  # Go's $ is the end of the text, Python's may stand before a last line break
        result["pattern"] = schema["pattern"].removesuffix("$") + r"\Z"
    if schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    return result


SPEC = jsonschema.Draft202012Validator(strict(definitions.POLICY.schema()["properties"]["spec"]))


def without_nulls(value: Any) -> Any:
    """Drop the fields that are null, as the API server does before it validates."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


def duplicates(spec: Any) -> bool:
    """Find what JSON Schema cannot say: two entries of a list-map with the same key."""
    agent = spec.get("agent", {})
    lists = ((agent.get("env") or [], "name"), (agent.get("files") or [], "mountPath"))
    return any(len({item.get(key) for item in items}) < len(items) for items, key in lists)


@pytest.mark.parametrize("case", specs.GOOD, ids=TITLE)
def test_a_good_policy_passes_pydantic_and_the_schema(case: Case) -> None:
    policy.AgentPolicy.model_validate(case.manifest())
    SPEC.validate(without_nulls(case.spec))


@pytest.mark.parametrize("case", specs.BAD, ids=TITLE)
def test_a_bad_policy_is_refused_by_pydantic(case: Case) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        policy.AgentPolicy.model_validate(case.manifest())
    if case.refused is Refusal.RULE:
        assert case.says in str(refused.value)


@pytest.mark.parametrize("case", specs.BAD, ids=TITLE)
def test_the_schema_refuses_what_it_can_say_and_leaves_the_rest_to_rules(case: Case) -> None:
    refused = not SPEC.is_valid(without_nulls(case.spec)) or duplicates(case.spec)
    assert refused is (case.refused is Refusal.SCHEMA)


def test_the_table_names_each_case_once() -> None:
    titles = [case.title for case in specs.GOOD + specs.BAD]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("case", [case for case in specs.BAD if case.says], ids=TITLE)
def test_what_a_bad_case_says_is_a_rule_of_the_schema(case: Case) -> None:
    assert any(case.says in message for message in messages(definitions.POLICY.schema()))


def messages(schema: Any) -> list[str]:
    """Collect the messages of all rules of a schema."""
    found = [rule["message"] for rule in schema.get("x-kubernetes-validations", [])]
    for child in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        found += messages(child)
    return found


def test_every_rule_of_the_spec_has_a_bad_case() -> None:
    said = [case.says for case in specs.BAD if case.says]
    unsaid = [message for message in messages(definitions.POLICY.schema()) if not any(part in message for part in said)]
    assert not unsaid


@pytest.mark.parametrize("spec", [specs.limits(connections=None), {**specs.agent(), "egress": None}])
def test_i01_null_is_read_as_absent(spec: dict[str, Any]) -> None:
    read = policy.AgentPolicy.model_validate(Case("null", spec).manifest()).spec
    assert read == policy.AgentPolicy.model_validate(Case("absent", without_nulls(spec)).manifest()).spec
