"""What a refused agent reads."""

import json

import pytest

from zaum_api import contract
from zaum_watchdog.core import answers, policy

RULE = contract.Rule


def split(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_a_refusal_names_its_rule_twice_and_explains() -> None:
    refused = policy.Refusal(RULE.HOST_NOT_NAMED, "not named", "spec.egress.hosts", "evil.example.com", 443)
    first, headers, body = split(answers.refusal(refused, namespace="agents", name="researcher"))
    assert first == "HTTP/1.1 403 Forbidden"
    assert headers["x-zaum-rule"] == "egress.hosts"
    assert headers["content-length"] == str(len(body))
    assert "retry-after" not in headers
    assert json.loads(body) == {
        "rule": "egress.hosts",
        "message": "not named",
        "allowedBy": "spec.egress.hosts",
        "policy": "agents/researcher",
    }


@pytest.mark.parametrize(("wait", "seconds"), [(1, "1"), (1_000_000_000, "1"), (1_000_000_001, "2")])
def test_retry_after_is_rounded_up(wait: int, seconds: str) -> None:
    refused = policy.Refusal(RULE.REQUESTS_PER_MINUTE, "too fast", retry_after=wait)
    first, headers, _ = split(answers.refusal(refused, namespace="a", name="b"))
    assert first == "HTTP/1.1 429 Too Many Requests"
    assert headers["retry-after"] == seconds


@pytest.mark.parametrize("rule", list(contract.Rule))
def test_every_rule_has_an_answer_that_parses(rule: contract.Rule) -> None:
    first, headers, body = split(answers.write(answers.status_of(rule), rule, b"{}"))
    assert first.startswith("HTTP/1.1 ")
    assert headers["x-zaum-rule"] == rule.value
    assert body == b"{}"
    assert (answers.status_of(rule) == 200) is (rule is RULE.ALLOWED)


def test_a_status_without_a_phrase_of_its_own_still_parses() -> None:
    assert answers.write(418, RULE.QUARANTINED, b"").startswith(b"HTTP/1.1 418 Refused\r\n")


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        (RULE.REQUEST_TOO_LARGE, "HTTP/1.1 413 Content Too Large"),
        (RULE.HEAD_TOO_LARGE, "HTTP/1.1 431 Request Header Fields Too Large"),
        (RULE.ROUTE_UNKNOWN, "HTTP/1.1 403 Forbidden"),
        (RULE.ROUTE_NOT_ALLOWED, "HTTP/1.1 403 Forbidden"),
        (RULE.ROUTE_CREDENTIAL, "HTTP/1.1 503 Service Unavailable"),
        (RULE.ROUTE_ECHO, "HTTP/1.1 502 Bad Gateway"),
        (RULE.UPSTREAM_TLS, "HTTP/1.1 502 Bad Gateway"),
        (RULE.UPSTREAM_MALFORMED, "HTTP/1.1 502 Bad Gateway"),
    ],
)
def test_each_rule_of_routes_has_its_status(rule: contract.Rule, first: str) -> None:
    refused = policy.Refusal(rule, "no")
    assert split(answers.refusal(refused, namespace="agents", name="researcher"))[0] == first


def test_a_refusal_in_plain_text_says_the_same() -> None:
    refused = policy.Refusal(RULE.ROUTE_NOT_ALLOWED, "no\u2026", "an entry")
    _, headers, body = split(answers.refusal(refused, namespace="agents", name="researcher", text=True))
    assert headers["content-type"] == "text/plain; charset=us-ascii"
    assert headers["content-length"] == str(len(body))
    assert body == b"routes.allow: no?\nwhat would allow it: an entry\npolicy: agents/researcher\n"
    bare = policy.Refusal(RULE.ROUTE_NOT_ALLOWED, "no")
    assert b"what would" not in answers.refusal(bare, namespace="agents", name="researcher", text=True)


def test_the_answer_to_a_head_request_tells_of_a_body_and_has_none() -> None:
    refused = policy.Refusal(RULE.ROUTE_NOT_ALLOWED, "no")
    _, headers, body = split(answers.refusal(refused, namespace="agents", name="researcher", bare=True))
    assert int(headers["content-length"]) > 0
    assert body == b""
