"""The page on routes says the rules, bounds and variables that the code has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract
from zaum_api.v1alpha1 import policy as policies
from zaum_operator.cluster import gateway
from zaum_watchdog.core import answers, echo, exchanges, headers, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import credentials

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/routes.md").read_text()
WHOLE, PART = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
ROWS = re.findall(r"^\| ([0-9]{3}) \| (.*?) \|", PAGE, re.MULTILINE)
KIB = 1024


def minutes(phase: Phase) -> str:
    return f"{exchanges.PATIENCE[phase] // exchanges.SECOND // 60} min"


def seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // exchanges.SECOND} s"


@pytest.mark.parametrize(("status", "rules"), ROWS)
def test_every_refusal_has_the_status_of_the_page(status: str, rules: str) -> None:
    named = re.findall(r"`([\w.]+)`", rules)
    assert named
    assert {answers.status_of(contract.Rule(name)) for name in named} == {int(status)}


def test_every_rule_of_routes_is_on_the_page() -> None:
    assert {rule.value for rule in contract.Rule if rule.value.startswith("routes.")} <= set(
        re.findall(r"`(routes\.\w+)`", PAGE)
    )


def test_the_policy_is_one_and_its_variables_are_those_of_the_page() -> None:
    read = policies.AgentPolicy.model_validate(WHOLE)
    assert read.spec.egress is not None
    ours, theirs = contract.route_environment(
        (route.name, route.api or "HTTP") for route in read.spec.egress.routes or ()
    )
    shown = dict(line.split("=", 1) for line in re.findall(r"^[A-Z_]+=.*$", PAGE, re.MULTILINE))
    assert shown == {**ours, **theirs}


def test_the_route_to_a_service_is_one() -> None:
    whole: dict[str, Any] = {**WHOLE, "spec": {**WHOLE["spec"], "egress": {"routes": PART}}}
    assert policies.AgentPolicy.model_validate(whole).spec.egress is not None


@pytest.mark.parametrize(
    "said",
    [
        f"larger than {routes.BODY_MAX // KIB // KIB} MiB",
        f"larger than {headers.HEAD_MAX // KIB} KiB, or has more than {headers.HEADERS_MAX} headers",
        f"head of an answer | {headers.ANSWER_HEAD_MAX // KIB} KiB, {headers.ANSWER_HEADERS_MAX} headers",
        f"{echo.CREDENTIAL_MIN} to {credentials.CREDENTIAL_MAX} characters",
        f"at most {gateway.UPSTREAM_CA_MAX // KIB} KiB",
        f"a head, from its first byte | {seconds(exchanges.PATIENCE[Phase.HEAD])}",
        f"in all | {seconds(exchanges.PATIENCE[Phase.ASKING])}, {exchanges.TOTAL // exchanges.SECOND // 60} min",
        f"each next one | {minutes(Phase.THINKING)}",
        f"no answer of it within {minutes(Phase.ANSWERED)}",
        f"takes nothing of an answer | {seconds(exchanges.UNTAKEN)}",
        f"the API's | {minutes(Phase.IDLE)}, {seconds(exchanges.POOL_IDLE)}",
        f"`{contract.Rule.CONFIG_REMOVED.value}`",
    ],
)
def test_bounds_are_those_of_the_code(said: str) -> None:
    assert said in PAGE


def test_every_credential_and_name_of_the_client_that_is_dropped_is_said_and_no_other() -> None:
    (text,) = re.findall(r"- \*Headers\*:(.*?)\n- ", PAGE, re.DOTALL)
    named = {name.lower().encode() for name in re.findall(r"`([A-Z][\w-]+)`", text)}
    assert named <= headers.REQUEST_DROPPED
    assert {b"authorization", b"cookie", b"x-api-key", b"api-key", b"x-goog-api-key"} <= named
    prefixes = {name.lower().removesuffix("*").encode() for name in re.findall(r"`([A-Z][\w-]+\*)`", text)}
    assert prefixes <= set(headers.REQUEST_DROPPED_PREFIXES)


def test_answers_lose_what_the_page_says() -> None:
    assert {b"set-cookie", b"alt-svc"} <= headers.ANSWER_DROPPED
    assert b"x-zaum-" in headers.ANSWER_DROPPED_PREFIXES
    assert "`Set-Cookie`, `Alt-Svc` and\n  `X-Zaum-*` are left out" in PAGE
