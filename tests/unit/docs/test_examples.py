"""What the examples say about each other is so."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.support import rendered
from zaum_api import documents
from zaum_operator.core import ceiling, ceilings, effective, intent, routes

FOLDER: Final = Path(__file__).resolve().parents[3] / "examples"


def example(name: str) -> dict[str, Any]:
    """Read an example as the API server would give it."""
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    loaded["metadata"] |= {"namespace": "agents", "uid": "u", "generation": 1}
    return loaded


def under(labels: dict[str, str]) -> ceilings.Ceilings:
    """Give what the example's ceiling says in a namespace with these labels."""
    return ceilings.of_namespace([ceiling.read(example("ceiling"))], labels)


def test_the_ceiling_grants_what_the_example_of_scheduling_asks_for_and_nobody_else_does() -> None:
    spec = intent.read(example("scheduling")).spec
    assert spec is not None
    assert effective.resolve(spec, ceilings=under({"example.com/team": "a"})).refusals == ()
    assert {refusal.field for refusal in effective.resolve(spec, ceilings=under({})).refusals} == {
        "spec.agent.nodeSelector",
        "spec.agent.tolerations",
    }


def test_the_ceiling_grants_the_example_its_service_and_another_its_mode_and_nobody_else_does() -> None:
    there = routes.Cluster({("tools", "search"): rendered.SEARCH})
    service, report = intent.read(example("service")).spec, intent.read(example("report")).spec
    assert service is not None
    assert report is not None
    team = under({"example.com/team": "a"})
    assert [route.name for route in effective.resolve(service, ceilings=team, cluster=there).routes] == ["search"]
    assert effective.resolve(service, ceilings=under({}), cluster=there).routes == ()
    assert effective.resolve(report, ceilings=team).mode is documents.Mode.REPORT
    assert effective.resolve(report, ceilings=under({})).mode is documents.Mode.ENFORCE


def test_the_ceiling_lowers_and_refuses_what_is_more() -> None:
    spec = intent.read(example("ingress")).spec
    assert spec is not None
    found = effective.resolve(spec, ceilings=under({"example.com/team": "a"}))
    assert {refusal.field for refusal in found.refusals} == {"spec.agent.image", "spec.agent.runtimeClassName"}
    assert found.ingress == ()
