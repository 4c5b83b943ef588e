"""What is kept of watchdogs' reports, and how the operator gets it."""

import json
from dataclasses import replace

from zaum_api import contract, documents
from zaum_gateway.core import contacts, records, reports

POD = records.Pod(
    namespace="agents",
    name="pod-a",
    uid="a",
    policy="demo",
    service_account="zaum-demo",
    addresses=frozenset(),
    live=True,
    quarantined=False,
)
REPORT = documents.Report(config="c", problem="", tested=5, escapes=(), requests=1, denied=0, would_deny=0)


def pod(uid: str) -> records.Pod:
    return replace(POD, uid=uid, name=f"pod-{uid}")


def test_the_newest_report_of_each_pod_is_kept() -> None:
    kept = reports.Reports()
    kept.take(pod("a"), REPORT, 10.7)
    kept.take(pod("b"), REPORT, 11.0)
    kept.take(pod("a"), replace(REPORT, requests=2), 12.0)
    assert {uid: (item.at, documents.Report.parse(item.report).requests) for uid, item in kept.all().items()} == {
        "b": (11, 1),
        "a": (12, 2),
    }


def test_reports_are_bounded_and_the_oldest_goes_first() -> None:
    kept = reports.Reports(most=2)
    for number, uid in enumerate(["a", "b", "a", "c"]):
        kept.take(pod(uid), REPORT, number)
    assert set(kept.all()) == {"a", "c"}


def test_a_report_goes_with_its_pod() -> None:
    kept = reports.Reports()
    kept.take(pod("a"), REPORT, 1)
    kept.take(pod("b"), REPORT, 1)
    kept.prune({"b": pod("b")})
    assert (set(kept.all()), len(kept)) == ({"b"}, 1)


def test_the_document_holds_reports_and_contacts_by_uid() -> None:
    kept = reports.Reports()
    kept.take(pod("a"), REPORT, 10)
    touched = contacts.Contact("b", "agents", "pod-b", contract.Rule.TOKEN_MISSING, 11)
    assert json.loads(reports.document(kept.all(), [touched])) == {
        "reports": {"a": {"at": 10, "namespace": "agents", "pod": "pod-a", "report": REPORT.write()}},
        "contacts": {
            "b": {"uid": "b", "namespace": "agents", "pod": "pod-b", "rule": "identity.tokenMissing", "at": 11}
        },
    }
