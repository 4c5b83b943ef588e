"""The committed files are those that the models give, and the CRDs have the shape that the API server asks for."""

import pathlib
from typing import Any

import pytest
import yaml

import definitions
import generate
from tests.support import schemas
from zaum_api import contract, documents

KINDS = pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.kind)
NODES = schemas.nodes(definitions.POLICY.schema())


def test_the_committed_files_are_current() -> None:
    stale = [name for name, text in generate.files().items() if (generate.ROOT / name).read_text() != text]
    assert stale == []


def test_no_other_crd_lies_beside_them() -> None:
    for folder in generate.CRD_FOLDERS:
        lying = {f"{folder}/{path.name}" for path in (generate.ROOT / folder).glob("zaum.dev_*.yaml")}
        assert lying == {name for name in generate.files() if name.startswith(f"{folder}/")}


def test_check_says_which_file_is_not_current(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "crds/zaum.dev_agentpolicies.yaml: not current" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert (generate.main([]), generate.main(["--check"])) == (0, 0)


@KINDS
def test_a_file_has_no_anchors_and_reads_back_as_the_definition(definition: definitions.Definition) -> None:
    text = generate.render(definition.crd())
    assert "&id" not in text
    assert yaml.safe_load(text) == definition.crd()


@KINDS
def test_nothing_is_left_that_is_not_structural(definition: definitions.Definition) -> None:
    forbidden = {"$ref", "$defs", "title", "const", "oneOf", "allOf", "exclusiveMinimum", "propertyNames"}
    nodes = schemas.nodes(definition.schema())
    assert not [place for place, node in nodes if forbidden & set(node)]
    assert not [place for place, node in nodes if {"properties", "additionalProperties"} <= set(node)]


@KINDS
def test_i01_a_null_in_a_map_is_kept_to_be_refused_and_dropped_nowhere(definition: definitions.Definition) -> None:
    nodes = schemas.nodes(definition.schema()["properties"]["spec"])
    maps = {place for place, _ in nodes if place.endswith("{}")}
    assert maps == {place for place, node in nodes if node.get("nullable")}
    refusing = {place for place, node in nodes if any("null" in message for message in schemas.messages(node))}
    assert {place.removesuffix("{}") for place in maps} <= refusing


@KINDS
def test_every_field_of_spec_and_status_has_a_description_of_one_paragraph(
    definition: definitions.Definition,
) -> None:
    top = {".apiVersion", ".kind", ".metadata"}
    said = [(place, node.get("description", "")) for place, node in schemas.nodes(definition.schema())]
    fields = [(place, text) for place, text in said if place not in top and not place.endswith(("[]", "{}"))]
    assert [place for place, text in fields if not text or "\n" in text] == []


def test_i01_no_field_has_a_default_in_the_schema_but_what_the_columns_show() -> None:
    assert {place: node["default"] for place, node in NODES if "default" in node} == {
        ".spec.mode": "Enforce",
        ".spec.desiredState": "Running",
    }
    for definition in (definitions.CEILING, definitions.INCIDENT):
        assert not [node for _, node in schemas.nodes(definition.schema()) if "default" in node]


@KINDS
def test_every_rule_has_a_message_of_one_line(definition: definitions.Definition) -> None:
    messages = schemas.messages(definition.schema())
    assert len(messages) >= 7
    assert not [message for message in messages if not message or "\n" in message]


def test_the_columns_are_what_people_look_for() -> None:
    columns = definitions.POLICY.crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    plain = [column["name"] for column in columns if not column.get("priority")]
    assert plain == ["Mode", "State", "Ready", "Reason", "Replicas", "Cost", "Age"]
    assert [column["name"] for column in columns if column.get("priority")] == ["Outcome", "Image"]


def test_the_columns_of_an_incident_read_like_a_report() -> None:
    columns = definitions.INCIDENT.crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    plain = [column["name"] for column in columns if not column.get("priority")]
    assert plain == ["Policy", "Reason", "Action", "Phase", "Age"]
    wide = [column["name"] for column in columns if column.get("priority")]
    assert wide == ["Pod", "Reporter", "Raised", "Cut", "Dead", "Quarantined", "Identity", "Proof"]


def test_a_column_without_a_condition_looks_at_a_field_that_exists() -> None:
    for definition in definitions.ALL:
        places = {place for place, _ in schemas.nodes(definition.schema())} | {".metadata.creationTimestamp"}
        paths = [column["jsonPath"] for column in definition.columns if "conditions" not in column["jsonPath"]]
        assert set(paths) <= places


def test_the_status_field_effective_takes_the_document_that_the_authorizer_reads() -> None:
    fields: dict[str, Any] = dict(NODES)[".status.effective"]["properties"]
    written = documents.Effective(
        hosts=(documents.HostRule("docs.example.com"),),
        fields=(documents.EffectiveField("limits.connections", "32", documents.Source.DEFAULT),),
        routes=(documents.EffectiveRoute("model", "api.example.com", 443),),
    ).write()
    assert set(fields) == set(written)
    for key in ("hosts", "routes", "fields"):
        assert set(fields[key]["items"]["properties"]) == set(written[key][0])
    assert fields["mode"]["enum"] == [mode.value for mode in documents.Mode]
    assert fields["fields"]["maxItems"] == documents.EFFECTIVE_FIELDS_MAX
    assert fields["fields"]["items"]["properties"]["source"]["enum"] == [source.value for source in documents.Source]


def test_the_names_are_the_contracts() -> None:
    named = {
        definition.kind: (definition.crd()["metadata"]["name"], definition.crd()["spec"]["names"]["shortNames"])
        for definition in definitions.ALL
    }
    assert named == {
        contract.KIND_POLICY: ("agentpolicies.zaum.dev", ["ap"]),
        contract.KIND_CEILING: ("agentceilings.zaum.dev", ["ceiling"]),
        contract.KIND_INCIDENT: ("incidents.zaum.dev", ["inc"]),
    }
    assert all(definition.crd()["spec"]["names"]["categories"] == ["zaum"] for definition in definitions.ALL)
    scopes = [definition.crd()["spec"]["scope"] for definition in definitions.ALL]
    assert scopes == ["Namespaced", "Cluster", "Namespaced"]
