"""What is suggested, and what is said beside it."""

import json
from typing import Any

import pytest
import yaml

from zaum_api.v1alpha1 import egress
from zaum_cli.core import observed, pages, spans, suggestion
from zaum_cli.core.decisions import Decision, Verdict

ALLOWED, WOULD, DENIED = Verdict.ALLOWED, Verdict.WOULD_DENY, Verdict.DENIED
MODEL = {
    "name": "model",
    "upstream": "https://api.example.com/v1",
    "credential": {"secretKeyRef": {"name": "keys", "key": "model"}},
    "allow": [{"methods": ["GET", "POST"], "path": "/*"}],
}
UNUSED = {"name": "unused", "upstream": "https://other.example.com"}
SUBJECT = pages.Subject("agents", "researcher", 2)


def tunnel(verdict: Verdict, host: str, port: int = 443, rule: str = "egress.allowed") -> Decision:
    return Decision("2026-01-01T00:00:00.000Z", verdict, rule, host, port)


def request(verdict: Verdict, method: str, path: str, rule: str = "egress.allowed", route: str = "model") -> Decision:
    return Decision("2026-01-02T00:00:00.000Z", verdict, rule, "api.example.com", 443, route, method, path)


def suggest(
    *seen: Decision, denied: bool = False, spec: dict[str, Any] | None = None
) -> tuple[observed.Observed, suggestion.Suggestion]:
    added = observed.Observed(denied=denied)
    for each in seen:
        added.add(each)
    return added, suggestion.of(added, spec or {})


def test_hosts_are_named_once_with_their_ports_sorted() -> None:
    _, found = suggest(
        tunnel(ALLOWED, "b.example.com"),
        tunnel(WOULD, "a.example.com", 8443, "egress.hosts"),
        tunnel(ALLOWED, "a.example.com"),
        tunnel(ALLOWED, "a.example.com"),
    )
    assert found.egress == {
        "hosts": [{"host": "a.example.com", "ports": [443, 8443]}, {"host": "b.example.com", "ports": [443]}]
    }
    assert found.notes == ()


def test_what_was_denied_is_said_and_not_suggested() -> None:
    seen = [tunnel(DENIED, "evil.example.com", rule="egress.hosts")] * 3
    _, found = suggest(tunnel(ALLOWED, "a.example.com"), *seen)
    assert found.egress == {"hosts": [{"host": "a.example.com", "ports": [443]}]}
    assert found.notes == ("denied, not in here: evil.example.com:443 (egress.hosts), 3 times",)


@pytest.mark.parametrize(
    ("seen", "egress_"),
    [
        (tunnel(DENIED, "n.example.com", rule="egress.hosts"), {"hosts": [{"host": "n.example.com", "ports": [443]}]}),
        (
            tunnel(DENIED, "n.example.com", 8443, rule="egress.ports"),
            {"hosts": [{"host": "n.example.com", "ports": [8443]}]},
        ),
        (tunnel(DENIED, "n.example.com", rule="egress.sniMismatch"), {}),
        (tunnel(DENIED, "n.example.com", rule="gateway.upstreamUnavailable"), {}),
        (tunnel(DENIED, "", rule="egress.addressAsHost"), {}),
    ],
)
def test_on_demand_what_was_denied_for_want_of_an_entry_is_suggested_and_nothing_else(
    seen: Decision, egress_: dict[str, Any]
) -> None:
    assert suggest(seen, denied=True)[1].egress == egress_
    assert suggest(seen)[1].egress == {}


def test_a_route_keeps_all_but_its_allow() -> None:
    _, found = suggest(
        request(ALLOWED, "POST", "/chat/completions"),
        request(WOULD, "GET", "/models", "limits.connections"),
        request(DENIED, "DELETE", "/files/1", "routes.allow"),
        spec={"egress": {"routes": [UNUSED, MODEL], "requireProof": True}},
    )
    assert found.egress == {
        "routes": [
            MODEL
            | {
                "allow": [
                    {"methods": ["POST"], "path": "/chat/completions"},
                    {"methods": ["GET"], "path": "/models"},
                ]
            }
        ],
        "requireProof": True,
    }
    assert found.notes == (
        "route unused was not used, and is left out",
        "over the limit: 1 requests (limits.connections); spec.limits.connections is no part of this section",
        "denied, not in here: route model DELETE /files/1 (routes.allow), 1 times",
    )


def test_on_demand_a_denied_request_of_a_route_is_suggested() -> None:
    seen = request(DENIED, "DELETE", "/files/1", "routes.allow")
    _, found = suggest(seen, denied=True, spec={"egress": {"routes": [MODEL]}})
    assert found.egress["routes"][0]["allow"] == [{"methods": ["DELETE"], "path": "/files/1"}]


def test_a_route_that_is_gone_and_a_path_that_cannot_be_said_are_named() -> None:
    spec = {"egress": {"routes": [MODEL]}}
    _, found = suggest(request(ALLOWED, "GET", "/a%20b"), request(ALLOWED, "GET", "/x", route="gone"), spec=spec)
    assert found.notes == (
        "route model: no entry can say GET /a%20b",
        "route gone was used, and is no part of the policy any more",
    )


def test_more_than_a_policy_holds_is_cut_and_said() -> None:
    seen = [tunnel(ALLOWED, f"h{number}.example.com") for number in range(300)]
    ports = [tunnel(ALLOWED, "h0.example.com", 8000 + number) for number in range(20)]
    _, found = suggest(*seen, *ports, tunnel(ALLOWED, "h299.example.com"))
    named = [item["host"] for item in found.egress["hosts"]]
    assert len(named) == suggestion.HOSTS_MAX
    assert {"h0.example.com", "h299.example.com"} <= set(named)
    assert len(found.egress["hosts"][0]["ports"]) == suggestion.PORTS_MAX
    assert len(found.notes) == 2
    egress.Egress.model_validate(found.egress)


def test_many_entries_and_many_denials_are_said() -> None:
    seen = [request(ALLOWED, "GET", f"/p{number}/x") for number in range(40)]
    denials = [tunnel(DENIED, f"d{number}.example.com", rule="egress.hosts") for number in range(25)]
    _, found = suggest(*seen, *denials, spec={"egress": {"routes": [MODEL]}})
    assert "route model needs 40 entries, a route holds 32: join some by hand" in found.notes
    assert found.notes[-1] == "and 5 more that were denied"


def test_the_page_is_yaml_that_the_api_takes_and_says_what_it_saw() -> None:
    seen, found = suggest(
        tunnel(WOULD, "a.example.com", rule="egress.hosts"),
        tunnel(DENIED, "evil.example.com", rule="egress.hosts"),
        request(ALLOWED, "GET", "/models"),
        spec={"egress": {"routes": [MODEL]}},
    )
    page = pages.write_yaml(SUBJECT, seen, found)
    comments = [line for line in page.splitlines() if line.startswith("# ")]
    assert "agents/researcher" in comments[0]
    assert comments[1] == (
        "# seen in 2 pods, from 2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z: "
        "1 allowed, 1 let pass by the mode Report alone, 1 denied"
    )
    assert "evil.example.com:443" in comments[2]
    assert "    ports: [443]\n" in page
    egress.Egress.model_validate(yaml.safe_load(page)["egress"])


def test_the_json_holds_the_same() -> None:
    seen, found = suggest(tunnel(ALLOWED, "a.example.com"))
    assert json.loads(pages.write_json(SUBJECT, seen, found)) == {
        "egress": {"hosts": [{"host": "a.example.com", "ports": [443]}]},
        "seen": {
            "pods": 2,
            "from": "2026-01-01T00:00:00.000Z",
            "to": "2026-01-01T00:00:00.000Z",
            "allowed": 1,
            "wouldDeny": 0,
            "denied": 0,
        },
        "notes": [],
    }


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("6h", 21_600), ("2d", 172_800)])
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert spans.read(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1h", "1", "1w", "1h30m", " 1h", "9999999s"])
def test_another_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no span of time"):
        spans.read(text)
