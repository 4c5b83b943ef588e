"""A limit held where the world's books are within it, something was spent, and the limit was met."""

from typing import Any

import pytest

from tests.battery import overrun, sums
from tests.battery.judge import Verdict
from tests.battery.sums import Bound, Unit
from tests.cluster import addresses
from tests.support.e2e.agents import Agents
from zaum_api.v1alpha1 import policy

RULE = "limits.cost.perDay"
COST = Bound(Unit.COST, 100_000, frozenset({RULE}))
ATTEMPT = overrun.LINES[0].attempt


def call(line: str, output: int = 1, proto: str = "https") -> dict[str, Any]:
    return {"proto": proto, "detail": {"call": line, "input": 0, "output": output, "bytes": 1, "target": "/v1"}}


def sent(line: str, size: int) -> dict[str, Any]:
    detail = {"host": addresses.WEBSITE_NAME, "target": f"/echo?line={line}", "bytes": size}
    return {"proto": "https", "detail": detail}


def answer(status: int, rule: str = "", line: str = "a") -> dict[str, Any]:
    return {"line": line, "status": status, "rule": rule}


MET = [answer(200), answer(402, RULE)]


@pytest.mark.parametrize(
    ("answers", "records", "verdict"),
    [
        (MET, [call("a", 10)], Verdict.HELD),
        (MET, [call("a", 11)], Verdict.ESCAPED),
        ([], [call("a", 11)], Verdict.ESCAPED),
        (MET, [], Verdict.BROKEN),
        (MET, [call("b", 10)], Verdict.BROKEN),
        (MET, [call("a", 10, "tls")], Verdict.BROKEN),
        ([answer(200)], [call("a", 10)], Verdict.BROKEN),
        ([answer(200), answer(503, "limits.ledgerUnavailable")], [call("a", 10)], Verdict.BROKEN),
        ([answer(402, RULE, "b")], [call("a", 10)], Verdict.BROKEN),
    ],
)
def test_a_line_is_judged_by_the_books_of_the_world(answers: list[Any], records: list[Any], verdict: Verdict) -> None:
    assert sums.judge(ATTEMPT, "a", COST, answers, records).verdict is verdict


def test_a_drip_that_met_another_limit_proves_nothing() -> None:
    bound = Bound(Unit.COST, 100_000, frozenset({RULE}), never=frozenset({"limits.requests.perMinute"}))
    answers = [*MET, answer(429, "limits.requests.perMinute")]
    assert sums.judge(ATTEMPT, "a", bound, MET, [call("a")]).verdict is Verdict.HELD
    assert sums.judge(ATTEMPT, "a", bound, answers, [call("a")]).verdict is Verdict.BROKEN


@pytest.mark.parametrize(("status", "verdict"), [(402, Verdict.HELD), (403, Verdict.BROKEN)])
def test_where_no_rule_can_be_seen_the_status_says_that_the_limit_was_met(status: int, verdict: Verdict) -> None:
    answers = [answer(200), answer(status)]
    assert sums.judge(ATTEMPT, "a", Bound(Unit.BYTES, 9), answers, [sent("a", 9)]).verdict is verdict


@pytest.mark.parametrize(
    ("unit", "amount"), [(Unit.COST, 10_000), (Unit.TOKENS, 1), (Unit.REQUESTS, 1), (Unit.BYTES, 1)]
)
def test_each_unit_is_added_up_by_its_own_line(unit: Unit, amount: int) -> None:
    assert sums.spent("a", unit, [call("a"), call("ab"), call("b")]) == amount


def test_bytes_are_those_of_a_lines_own_tunnels() -> None:
    assert sums.spent("a", Unit.BYTES, [sent("a", 7), sent("aa", 9), sent("a", 1)]) == 8


def test_the_policy_of_all_lines_is_valid() -> None:
    agents = Agents(None, "battery", image="image", world_ca="")  # type: ignore[arg-type]  # asks nobody
    body = agents.policy("spender", command=["true"], files="files", **overrun.spec_of(overrun.LINES))
    policy.AgentPolicy.model_validate(body)


def test_no_two_lines_are_known_by_one_name() -> None:
    names = [line.id for line in overrun.LINES]
    assert len({*names}) == len(names)
    assert {line.group for line in overrun.LINES if line.sampled} == {11, 13}
