"""`zaum contain`, `release`, `incidents` and `watch` against an API server on loopback, through the real client."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import incident_server
from tests.integration.cli import test_suggest as suggest
from tests.integration.cli.incident_server import IncidentServer
from zaum_api import incidents
from zaum_api.v1alpha1 import incident as incident_api
from zaum_cli import __main__ as command
from zaum_cli.core import containing

Zaum = Callable[..., suggest.Run]
FIRST = incidents.name("agents", "researcher", incidents.manual_key(0))
SECOND = incidents.name("agents", "researcher", incidents.manual_key(1))
THIRD = incidents.name("agents", "researcher", incidents.manual_key(2))


@pytest.fixture
def server() -> Iterator[IncidentServer]:
    running = IncidentServer()
    yield running
    running.close()


@pytest.fixture
def zaum(server: IncidentServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Zaum:
    config = suggest.kubeconfig(tmp_path / "config", server.url)

    def run(*arguments: str) -> suggest.Run:
        status = command.main([*arguments, "--kubeconfig", str(config)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def confirmed(*kinds: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True"} for kind in kinds]}


def asked(before: int, **status: Any) -> dict[str, Any]:
    body = containing.quarantine("agents", "researcher", user="john", reason="", before=before)
    return {**body, "status": status} if status else body


def test_a_policy_is_contained_by_one_incident_under_the_own_name(server: IncidentServer, zaum: Zaum) -> None:
    assert zaum("contain", "researcher", "--reason", "It mails everybody.") == (
        0,
        f"Incident {FIRST} quarantines agents/researcher\n",
        "",
    )
    ((verb, path, content, body),) = server.sent
    assert (verb, path, content) == ("POST", incident_server.INCIDENTS, "application/json")
    read = incident_api.Incident.model_validate(body)
    assert (read.spec.action, read.spec.reporter, read.spec.requested_by) == ("Quarantine", "Human", "jane@example.com")


def test_where_one_stands_it_is_named_and_none_is_made(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0)
    assert zaum("contain", "researcher")[:2] == (0, f"Incident {FIRST} already quarantines agents/researcher\n")
    assert server.sent == []


def test_one_that_is_being_released_is_no_hindrance(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0)
    server.incidents[FIRST]["spec"]["release"] = {"by": "john", "reason": "mended"}
    assert zaum("contain", "researcher")[:2] == (0, f"Incident {SECOND} quarantines agents/researcher\n")


def test_a_closed_one_is_no_hindrance(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0, **confirmed("Released", "Closed"))
    assert zaum("contain", "researcher")[:2] == (0, f"Incident {SECOND} quarantines agents/researcher\n")


def test_a_name_that_is_taken_by_a_closed_one_is_passed_over(server: IncidentServer, zaum: Zaum) -> None:
    # The first was deleted after its release, and the second is still there.
    server.incidents[SECOND] = asked(1, **confirmed("Closed"))
    assert zaum("contain", "researcher")[:2] == (0, f"Incident {THIRD} quarantines agents/researcher\n")


def test_two_who_ask_at_once_end_with_one(server: IncidentServer, zaum: Zaum) -> None:
    server.refusals = [(409, "already exists")]

    def theirs(*_: object) -> None:
        server.incidents[FIRST] = asked(0)

    taken = server._written

    def meanwhile(verb: str, path: str, content: str, body: Any) -> incident_server.Answer:
        answer = taken(verb, path, content, body)
        if answer[0] == 409:
            theirs()
        return answer

    server._written = meanwhile  # type: ignore[method-assign]
    assert zaum("contain", "researcher")[:2] == (0, f"Incident {FIRST} already quarantines agents/researcher\n")


def test_a_misspelt_policy_is_not_quarantined_unless_that_is_meant(server: IncidentServer, zaum: Zaum) -> None:
    status, _, err = zaum("contain", "reseacher")
    assert status == 1
    assert "there is no AgentPolicy reseacher" in err
    assert "--absent" in err
    assert server.sent == []
    assert zaum("contain", "reseacher", "--absent")[0] == 0


def test_what_admission_says_is_passed_on_and_cannot_colour_the_terminal(server: IncidentServer, zaum: Zaum) -> None:
    server.refusals = [(403, "ValidatingAdmissionPolicy 'zaum-incidents' denied: \x1b[31mno")]
    status, _, err = zaum("contain", "researcher")
    assert status == 1
    assert "the API server refuses it: ValidatingAdmissionPolicy 'zaum-incidents' denied: ?[31mno" in err


def test_waiting_ends_when_all_is_confirmed(server: IncidentServer, zaum: Zaum) -> None:
    # The first look is at the policy.
    server.on_look = {3: (FIRST, confirmed("Cut")), 4: (FIRST, confirmed(*incidents.STEPS))}
    status, out, _ = zaum("contain", "researcher", "--wait", "20")
    assert status == 0
    assert out.splitlines()[1] == ("Contained: Cut, Killed, RouteRemoved, IdentityDead, Quarantined; all is confirmed")
    assert server.looks == 4


def test_waiting_in_vain_says_what_is_missing_and_the_incident_stands(server: IncidentServer, zaum: Zaum) -> None:
    server.on_look = {2: (FIRST, confirmed("Cut"))}
    status, _, err = zaum("contain", "researcher", "--wait", "0.1")
    assert status == 1
    assert f"Incident {FIRST} stands" in err
    assert "not confirmed yet: Killed" in err


def meanwhile(server: IncidentServer, looks: Mapping[int, Callable[[], incident_server.Answer | None]]) -> None:
    """Let something happen at the n-th look at an object, which is then answered as it says."""
    read = server._read

    def look(path: str) -> incident_server.Answer:
        happens = looks.get(server.looks + 1)
        if happens is None or path in (incident_server.INCIDENTS, incident_server.POLICIES):
            return read(path)
        said = happens()
        server.looks += said is not None
        return said or read(path)

    server._read = look  # type: ignore[method-assign]


def test_a_look_that_fails_while_waiting_is_repeated(server: IncidentServer, zaum: Zaum) -> None:
    meanwhile(server, {2: lambda: (503, "busy"), 3: lambda: (429, "too many requests")})
    server.on_look = {4: (FIRST, confirmed(*incidents.STEPS))}
    status, out, _ = zaum("contain", "researcher", "--wait", "20")
    assert (status, "Contained: " in out) == (0, True)


def test_whoever_may_not_look_reads_that_the_incident_stands(server: IncidentServer, zaum: Zaum) -> None:
    meanwhile(server, dict.fromkeys(range(2, 99), lambda: (403, "jane may not get incidents")))
    status, _, err = zaum("contain", "researcher", "--wait", "0.1")
    assert status == 1
    assert f"Incident {FIRST} stands" in err
    assert "jane may not get incidents" in err


def test_a_quarantine_that_was_released_meanwhile_is_no_success(server: IncidentServer, zaum: Zaum) -> None:
    server.on_look = {2: (FIRST, confirmed(*incidents.STEPS, "Released", "Closed"))}
    status, out, err = zaum("contain", "researcher", "--wait", "20")
    assert (status, out) == (1, "")
    assert f"Incident {FIRST} contains nothing any more" in err


def test_where_another_was_faster_its_confirmations_are_waited_for(server: IncidentServer, zaum: Zaum) -> None:
    def closed_as_duplicate() -> None:
        server.incidents[FIRST]["status"] = confirmed("Closed")
        server.incidents[SECOND] = asked(1, **confirmed("Cut"))

    meanwhile(server, {2: closed_as_duplicate})
    server.on_look = {3: (SECOND, confirmed(*incidents.STEPS))}
    status, out, _ = zaum("contain", "researcher", "--wait", "20")
    assert status == 0
    assert out.splitlines()[0] == f"Incident {FIRST} quarantines agents/researcher"
    assert out.splitlines()[1].startswith(f"Contained by Incident {SECOND}: ")
    assert server.looks == 3


def test_a_release_is_sent_as_a_merge_patch_under_the_own_name(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0)
    status, out, _ = zaum("release", FIRST, "--reason", "The prompt was mended.")
    assert status == 0
    assert "released by jane@example.com" in out
    ((verb, path, content, body),) = server.sent
    assert (verb, path) == ("PATCH", f"{incident_server.INCIDENTS}/{FIRST}")
    assert content == "application/merge-patch+json"
    assert body == {"spec": {"release": {"by": "jane@example.com", "reason": "The prompt was mended."}}}


def test_a_release_of_a_closed_or_released_or_absent_one_says_so(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0, **confirmed("Closed"))
    server.incidents[SECOND] = asked(1)
    server.incidents[SECOND]["spec"]["release"] = {"by": "john", "reason": "mended"}
    said = {name: zaum("release", name, "--reason", "x") for name in (FIRST, SECOND, "nothing")}
    assert [status for status, *_ in said.values()] == [1, 1, 1]
    assert "is closed and contains nothing" in said[FIRST][2]
    assert "is released already, by john" in said[SECOND][2]
    assert "there is no Incident nothing" in said["nothing"][2]
    assert server.sent == []


def test_who_may_not_release_reads_why(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0)
    server.refusals = [(403, "jane may not release Incidents of this namespace")]
    status, _, err = zaum("release", FIRST, "--reason", "x")
    assert (status, "jane may not release Incidents" in err) == (1, True)


def test_incidents_are_listed_for_people_and_programs(server: IncidentServer, zaum: Zaum) -> None:
    assert zaum("incidents")[:2] == (0, "there is no Incident in agents\n")
    server.incidents[FIRST] = asked(0, **confirmed("Closed"))
    server.incidents[SECOND] = asked(1)
    _, out, _ = zaum("incidents")
    assert [line.split()[1] for line in out.splitlines()] == ["NAME", SECOND, FIRST]
    assert [item["name"] for item in json.loads(zaum("incidents", "--open", "-o", "json")[1])] == [SECOND]
    assert "SUMMARY" in zaum("incidents", "-o", "wide")[1]
    assert zaum("incidents", "other")[1] == "there is no Incident in agents\n"


def test_a_cluster_without_the_kind_is_told_from_one_without_incidents(server: IncidentServer, zaum: Zaum) -> None:
    server.served = False
    for words in (("incidents",), ("contain", "researcher"), ("watch", "--once")):
        status, _, err = zaum(*words)
        assert (status, "knows no Incidents" in err) == (1, True)


def test_a_page_is_written_once_where_that_is_asked_without_moving_a_cursor(server: IncidentServer, zaum: Zaum) -> None:
    server.incidents[FIRST] = asked(0, **confirmed("Cut"))
    status, out, _ = zaum("watch", "researcher", "--once")
    assert status == 0
    assert "\x1b" not in out
    assert "Quarantine (Manual)" in out
    assert "not confirmed yet: Killed" in out
