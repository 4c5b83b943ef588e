"""The API server's own verdict on the table of specs that the unit tests read too, and what it keeps of an object."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any, Final

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

import definitions
from tests.support import fuzz, schemas, specs
from tests.support.e2e.api import Api, Object, RefusedError, User, service_account, url
from tests.support.e2e.responders import await_closed
from zaum_api import contract

RESOURCES: Final = {
    contract.KIND_POLICY: contract.PLURAL_POLICY,
    contract.KIND_CEILING: contract.PLURAL_CEILING,
    contract.KIND_INCIDENT: contract.PLURAL_INCIDENT,
}
MASTERS: Final = ("system:masters", "system:authenticated")
PARTS: Final = {"Ledger": "zaum-ledger", "Operator": "zaum-operator"}
SETTLED_SECONDS: Final = 60
DRAWN: Final = 200
"""How many near misses of each kind are sent."""
ALL: Final = tuple(
    case
    for case in (
        *(specs.GOOD + specs.BAD),
        *(specs.GOOD_CEILINGS + specs.BAD_CEILINGS),
        *(specs.GOOD_INCIDENTS + specs.BAD_INCIDENTS),
        *specs.EVERY_FIELD,
    )
    # No Incident is made with its release: what the API server says of that stands among the changes.
    if case.kind != contract.KIND_INCIDENT or not case.spec.get("release")
)


@pytest.fixture(scope="module")
def namespace_for_specs(api: Api) -> Iterator[str]:
    name = f"t-specs-{uuid.uuid4().hex[:5]}"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    api.delete("namespaces", "", name)


@pytest.mark.parametrize("case", [case for case in ALL if case.refused is None], ids=lambda case: case.title)
def test_the_api_server_takes_a_good_object_and_drops_nothing_but_null(
    api: Api, namespace_for_specs: str, case: specs.Case
) -> None:
    sender = _sender(api, case.kind, case.spec)
    stored = sender.create(RESOURCES[case.kind], case.manifest(namespace_for_specs), dry_run=True)
    kept = {key: value for key, value in stored["spec"].items() if key not in {"mode", "desiredState"}}
    given = schemas.without_nulls(case.spec, {})
    assert kept == {key: value for key, value in given.items() if key not in {"mode", "desiredState"}}


@pytest.mark.parametrize("case", [case for case in ALL if case.refused is not None], ids=lambda case: case.title)
def test_the_api_server_refuses_a_bad_object_in_the_layer_of_the_table(
    api: Api, namespace_for_specs: str, case: specs.Case
) -> None:
    with pytest.raises(RefusedError) as refused:
        api.create(RESOURCES[case.kind], case.manifest(namespace_for_specs), dry_run=True)
    assert refused.value.status in {400, 422}
    assert case.says in refused.value.message


@pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.kind)
@hypothesis.settings(max_examples=DRAWN, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(data=st.data())
def test_the_api_server_and_the_model_agree_on_what_misses_by_a_little(
    api: Api, namespace_for_specs: str, definition: definitions.Definition, data: st.DataObject
) -> None:
    spec = data.draw(fuzz.near_misses(definition))
    if definition is definitions.INCIDENT:
        spec = {key: value for key, value in spec.items() if key != "release"}
    manifest = specs.Case("drawn", spec, name="drawn", kind=definition.kind).manifest(namespace_for_specs)
    problems = _problems(definition, manifest)
    said = _refusal(api, definition, manifest)
    assert bool(problems) is bool(said), f"the model: {problems or 'good'}; the API server: {said or 'good'}"


@pytest.mark.parametrize("change", specs.GOOD_CHANGES, ids=lambda change: change.title)
def test_a_good_change_is_taken(api: Api, namespace_for_specs: str, change: specs.Change) -> None:
    stored = _stored(api, namespace_for_specs, change.before)
    _replace(api, stored, change.after)


@pytest.mark.parametrize("change", specs.BAD_CHANGES, ids=lambda change: change.title)
def test_a_bad_change_is_refused_with_its_rule(api: Api, namespace_for_specs: str, change: specs.Change) -> None:
    stored = _stored(api, namespace_for_specs, change.before)
    with pytest.raises(RefusedError) as refused:
        _replace(api, stored, change.after)
    assert refused.value.status == 422
    assert change.says in refused.value.message


@pytest.mark.parametrize("change", specs.GOOD_INCIDENT_CHANGES, ids=lambda change: change.title)
def test_a_good_change_of_an_incident_is_taken(api: Api, namespace_for_specs: str, change: specs.Change) -> None:
    _change_incident(api, namespace_for_specs, change)


@pytest.mark.parametrize("change", specs.BAD_INCIDENT_CHANGES, ids=lambda change: change.title)
def test_a_bad_change_of_an_incident_is_refused_with_its_rule(
    api: Api, namespace_for_specs: str, change: specs.Change
) -> None:
    with pytest.raises(RefusedError) as refused:
        _change_incident(api, namespace_for_specs, change)
    assert refused.value.status == 422
    assert change.says in refused.value.message


def test_applying_what_was_read_changes_nothing(api: Api, namespace_for_specs: str) -> None:
    stored = _settled(api, _stored(api, namespace_for_specs, specs.FULL))
    name = stored["metadata"]["name"]
    for _ in range(2):
        read = _kubectl("get", "agentpolicy", name, "-n", namespace_for_specs, "-o", "yaml")
        _kubectl("apply", "--validate=strict", "-f", "-", given=read)
    again = api.get(contract.PLURAL_POLICY, namespace_for_specs, name)
    assert again["spec"] == stored["spec"]
    assert again["metadata"]["generation"] == stored["metadata"]["generation"]
    assert again["status"] == stored["status"]


def test_applying_the_same_manifest_again_changes_nothing(api: Api, namespace_for_specs: str) -> None:
    name = f"s{uuid.uuid4().hex[:8]}"
    case = specs.Case("applied", _still(specs.FULL), name=name)
    manifest = json.dumps(case.manifest(namespace_for_specs))
    _kubectl("apply", "--validate=strict", "-f", "-", given=manifest)
    stored = _settled(api, api.get(contract.PLURAL_POLICY, namespace_for_specs, name))
    assert "unchanged" in _kubectl("apply", "--validate=strict", "-f", "-", given=manifest)
    server_side = ("--server-side", "--force-conflicts", "--field-manager=kubectl-client-side-apply")
    for _ in range(2):
        _kubectl("apply", *server_side, "-f", "-", given=manifest)
    again = api.get(contract.PLURAL_POLICY, namespace_for_specs, name)
    assert again["metadata"]["generation"] == stored["metadata"]["generation"]
    assert again["status"] == stored["status"]


def test_an_equal_quantity_in_another_spelling_is_taken_as_it_is_written(api: Api, namespace_for_specs: str) -> None:
    stored = _stored(api, namespace_for_specs, specs.resources(cpu="500m", memory="512Mi"))
    for spelling in ({"cpu": "0.5", "memory": 536870912}, {"cpu": "5e-1", "memory": "524288Ki"}):
        stored = _replace(api, stored, specs.resources(**spelling))
        assert stored["spec"]["agent"]["resources"] == spelling


def test_what_is_absent_is_shown_in_the_columns_by_its_default(api: Api, namespace_for_specs: str) -> None:
    stored = _stored(api, namespace_for_specs, specs.agent())
    printed = _kubectl("get", "ap", stored["metadata"]["name"], "-n", namespace_for_specs).splitlines()
    assert printed[0].split() == ["NAME", "MODE", "STATE", "READY", "REASON", "REPLICAS", "COST", "AGE"]
    assert printed[1].split()[1:3] == ["Enforce", "Stopped"]


@pytest.mark.parametrize("field", ["agentpolicy.spec.egress.routes.credential", "agentceiling.spec.scheduling"])
def test_explain_tells_every_field(field: str) -> None:
    told = _kubectl("explain", field, "--recursive=false")
    assert "DESCRIPTION" in told
    assert "<no description>" not in told


def _problems(definition: definitions.Definition, manifest: Object) -> str:
    """Give what the model has against an object, empty when nothing."""
    try:
        definition.source.model_validate(manifest)
    except pydantic.ValidationError as error:
        return str(error)
    return ""


def _refusal(api: Api, definition: definitions.Definition, manifest: Object) -> str:
    """Give what the API server has against an object, empty when nothing."""
    try:
        api.create(definition.plural, manifest, dry_run=True)
    except RefusedError as error:
        # Admission is asked about what the schema and its rules have taken.
        return "" if "ValidatingAdmissionPolicy 'zaum-incidents'" in error.message else str(error)
    return ""


def _sender(api: Api, kind: str, spec: dict[str, Any]) -> Api:
    """Give the API as whoever an Incident says that it is by."""
    if kind != contract.KIND_INCIDENT:
        return api
    part = PARTS.get(spec["reporter"])
    name = service_account("zaum-system", part).name if part else str(spec["requestedBy"])
    return api.as_user(User(name, MASTERS))


def _stored(api: Api, namespace: str, spec: dict[str, Any]) -> Object:
    """Store a policy whose pods do not run, under a name of its own."""
    body: Object = specs.Case("stored", _still(spec), name=f"s{uuid.uuid4().hex[:8]}").manifest(namespace)
    return api.create(contract.PLURAL_POLICY, body)


def _change_incident(api: Api, namespace: str, change: specs.Change) -> None:
    """Make an Incident as it was before, about a policy that is not there, and change it as whoever may."""
    name = f"i{uuid.uuid4().hex[:8]}"

    def body(spec: dict[str, Any]) -> Object:
        return specs.Case("stored", spec, name=name, kind=contract.KIND_INCIDENT).manifest(namespace)

    if not change.before:
        _sender(api, change.kind, change.after).create(contract.PLURAL_INCIDENT, body(change.after), dry_run=True)
        return
    made = {key: value for key, value in change.before.items() if key != "release"}
    _sender(api, change.kind, made).create(contract.PLURAL_INCIDENT, body(made))
    if "release" in change.before:
        _replace_incident(api, namespace, name, change.before)
    if change.closed:
        await_closed(api, namespace, name)
    _replace_incident(api, namespace, name, change.after)


def _replace_incident(api: Api, namespace: str, name: str, spec: dict[str, Any]) -> None:
    """Replace an Incident's spec as the person whom its release names."""
    who = api.as_user(User(spec.get("release", {}).get("by", "jane@example.com"), MASTERS))
    patch = [{"op": "replace", "path": "/spec", "value": spec}]
    target = url(contract.PLURAL_INCIDENT, namespace, name)
    who.send("PATCH", target, patch, query={"fieldValidation": "Strict"}, content="application/json-patch+json")


def _settled(api: Api, stored: Object) -> Object:
    """Wait until the operator has written what it has to say about a stored policy."""
    return api.until(
        contract.PLURAL_POLICY,
        stored["metadata"]["namespace"],
        stored["metadata"]["name"],
        lambda seen: seen.get("status", {}).get("observedGeneration") == stored["metadata"]["generation"],
        seconds=SETTLED_SECONDS,
        what="a status of this generation",
    )


def _replace(api: Api, stored: Object, spec: dict[str, Any]) -> Object:
    """Replace a stored policy's spec, whatever the operator wrote to its status meanwhile."""
    target = url(contract.PLURAL_POLICY, stored["metadata"]["namespace"], stored["metadata"]["name"])
    patch = [{"op": "replace", "path": "/spec", "value": _still(spec)}]
    answer = api.send(
        "PATCH", target, patch, query={"fieldValidation": "Strict"}, content="application/json-patch+json"
    )
    replaced: Object = json.loads(answer.data)
    return replaced


def _still(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "desiredState": "Stopped"}


def _kubectl(*words: str, given: str = "") -> str:
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
