"""The committed CRD is the one that the models give, and has the shape that the API server asks for."""

import pathlib
from typing import Any

import pytest
import yaml

import generate
from zaum_api import contract, documents


def test_the_committed_files_are_current() -> None:
    assert [path.read_text() == generate.render() for path in generate.TARGETS] == [True, True]


def test_check_says_which_file_is_not_current(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "TARGETS", (tmp_path / "deep" / "crd.yaml",))
    assert generate.main(["--check"]) == 1
    assert "deep/crd.yaml: not current" in capsys.readouterr().out
    assert (generate.main([]), generate.main(["--check"])) == (0, 0)


def nodes(schema: dict[str, Any], place: str = "") -> list[tuple[str, dict[str, Any]]]:
    """List every schema inside a schema with its place."""
    found = [(place, schema)]
    for name, child in schema.get("properties", {}).items():
        found += nodes(child, f"{place}.{name}")
    return found + (nodes(schema["items"], f"{place}[]") if "items" in schema else [])


NODES = nodes(generate.schema())


def test_nothing_is_left_that_is_not_structural() -> None:
    forbidden = {"$ref", "$defs", "title", "const", "oneOf", "allOf", "exclusiveMinimum", "additionalProperties"}
    assert not [place for place, node in NODES if forbidden & set(node)]


def test_every_field_of_spec_and_status_has_a_description() -> None:
    top = {".apiVersion", ".kind", ".metadata"}
    assert not [p for p, n in NODES if p not in top and not p.endswith("[]") and not n.get("description")]


def test_i01_no_field_has_a_default_in_the_schema_but_the_state_that_is_shown() -> None:
    assert [place for place, node in NODES if "default" in node] == [".spec.desiredState"]


def test_every_rule_has_a_message_of_one_line() -> None:
    rules = [rule for _, node in NODES for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 30
    assert not [rule for rule in rules if not rule["message"] or "\n" in rule["message"]]


def test_the_columns_are_what_people_look_for() -> None:
    version = yaml.safe_load(generate.render())["spec"]["versions"][0]
    assert [c["name"] for c in version["additionalPrinterColumns"]] == ["State", "Ready", "Reason", "Replicas", "Age"]


def test_the_status_field_effective_takes_the_document_that_the_authorizer_reads() -> None:
    fields = dict(NODES)[".status.effective"]["properties"]
    written = documents.Effective(
        hosts=(documents.HostRule("docs.example.com"),),
        fields=(documents.EffectiveField("limits.connections", "32", documents.Source.DEFAULT),),
    ).write()
    assert set(fields) == set(written)
    for key in ("hosts", "fields"):
        assert set(fields[key]["items"]["properties"]) == set(written[key][0])
    assert fields["fields"]["items"]["properties"]["source"]["enum"] == [source.value for source in documents.Source]


def test_the_names_are_the_contracts() -> None:
    crd = generate.crd()
    assert crd["metadata"]["name"] == f"{contract.PLURAL_POLICY}.{contract.GROUP}"
    assert crd["spec"]["names"]["shortNames"] == ["ap"]
    assert crd["spec"]["names"]["categories"] == ["zaum"]
