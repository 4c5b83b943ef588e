"""Who may make, release and delete Incidents. Each refusal stands beside the same request allowed."""

from collections.abc import Iterator

import pytest
import urllib3

from tests.support import specs
from tests.support.e2e.admission import OPERATOR, OPERATOR_AS_ADMIN, refused
from tests.support.e2e.api import Api, RefusedError, User, service_account, url
from tests.support.e2e.responders import LEDGER, asked, incident, let_go, person, release
from zaum_api import incidents

NAMESPACE_CONTROLLER = User(
    service_account("kube-system", "namespace-controller").name, ("system:masters", "system:authenticated")
)
COLLECTOR = User(
    service_account("kube-system", "generic-garbage-collector").name, ("system:masters", "system:authenticated")
)


@pytest.fixture
def kept_open(api: Api, namespace: str) -> Iterator[str]:
    """An open Incident about a policy that does not exist, made by a person; released at the end."""
    user, known = person(api, namespace, "create", "list")
    name = known.create("incidents", incident(namespace, asked(user)))["metadata"]["name"]
    yield name
    let_go(api, namespace, name)
    api.delete("incidents", namespace, name)


def test_an_incident_says_truly_who_reports_it(api: Api, namespace: str) -> None:
    user, known = person(api, namespace, "create", "list")
    senders = {
        "Human": (known, asked(user)),
        "Ledger": (api.as_user(LEDGER), specs.breach()),
        "Operator": (api.as_user(OPERATOR), specs.breach(reporter="Operator")),
    }
    for part, (sender, _) in senders.items():
        for reporter, (_, spec) in senders.items():
            body = incident(namespace, spec)
            if part == reporter:
                sender.create("incidents", body, dry_run=True)
            else:
                refused(
                    lambda sender=sender, body=body: sender.create("incidents", body, dry_run=True),  # type: ignore[misc]
                    f"spec.reporter must be {part}",
                )
    refused(
        lambda: known.create("incidents", incident(namespace, asked("somebody-else")), dry_run=True),
        "spec.requestedBy must be",
    )


def test_a_release_needs_its_own_right_and_the_own_name(api: Api, namespace: str, kept_open: str) -> None:
    writer, writing = person(api, namespace, "list", "get", "patch")
    responder, responding = person(api, namespace, "list", "get", "patch", incidents.RELEASE_VERB)
    refused(lambda: release(writing, namespace, kept_open, writer.name), "may not release Incidents")
    refused(lambda: release(responding, namespace, kept_open, writer.name), "spec.release.by must be")
    release(responding, namespace, kept_open, responder.name)


def test_no_part_of_ours_releases(api: Api, namespace: str, kept_open: str) -> None:
    for part in (OPERATOR, LEDGER):
        with pytest.raises(RefusedError) as caught:
            release(api.as_user(part), namespace, kept_open, part.name)
        assert caught.value.status == 403


def test_i10_an_open_incident_is_not_deleted(api: Api, people: dict[str, Api], namespace: str, kept_open: str) -> None:
    for who in (*people.values(), api.as_user(OPERATOR_AS_ADMIN), api.as_user(COLLECTOR)):
        refused(
            lambda who=who: who.delete("incidents", namespace, kept_open, dry_run=True),  # type: ignore[misc]
            "an open Incident is not deleted",
        )
        refused(
            lambda who=who: who.send("DELETE", url("incidents", namespace), query={"dryRun": "All"}),  # type: ignore[misc]
            "an open Incident is not deleted",
        )
    api.as_user(NAMESPACE_CONTROLLER).delete("incidents", namespace, kept_open, dry_run=True)
    let_go(api, namespace, kept_open)
    people["owner"].delete("incidents", namespace, kept_open, dry_run=True)


def test_only_the_operator_writes_an_incidents_status(
    api: Api, people: dict[str, Api], namespace: str, kept_open: str
) -> None:
    target = url("incidents", namespace, kept_open, "status")
    patch = {"status": {"phase": "Closed"}}

    def write(who: Api) -> object:
        return who.send("PATCH", target, patch, query={"dryRun": "All"}, content="application/merge-patch+json")

    for who in people.values():
        refused(lambda who=who: write(who), "only the Zaum operator writes the status")  # type: ignore[misc]
    write(api.as_user(OPERATOR))


def test_evidence_of_10_mb_is_refused_before_it_is_read(api: Api, namespace: str) -> None:
    """The API server answers 413, or hangs up in the middle: it reads no more than it takes."""
    sender = api.as_user(LEDGER)
    body = incident(namespace, specs.breach(evidence={"summary": "x" * 10_000_000}))
    with pytest.raises((RefusedError, urllib3.exceptions.HTTPError)) as caught:
        sender.create("incidents", body)
    assert not isinstance(caught.value, RefusedError) or caught.value.status == 413, caught.value
    assert api.find("incidents", namespace, body["metadata"]["name"]) is None
    sender.create("incidents", incident(namespace, specs.breach()), dry_run=True)


def test_evidence_of_a_size_that_is_read_is_refused_by_its_rule(api: Api, namespace: str) -> None:
    body = incident(namespace, specs.breach(evidence={"summary": "x" * 1_000_000}))
    with pytest.raises(RefusedError, match="Too long") as caught:
        api.as_user(LEDGER).create("incidents", body, dry_run=True)
    assert caught.value.status == 422
