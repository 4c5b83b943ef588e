"""The cage test: what is tried, what an outcome proves, and what follows from it."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_watchdog.core import cage, gateway_answer, reporting
from zaum_watchdog.core.session import SECOND

TCP, DNS = documents.Transport.TCP, documents.Transport.DNS
RULE = contract.Rule
METADATA = documents.CageTarget("metadata", TCP, "169.254.169.254", 80)
SIX = documents.CageTarget("metadata", TCP, "fd00:ec2::254", 80)
NAMES = documents.CageTarget("dns", DNS, "10.96.0.10", 53)
CAGE = documents.Cage((METADATA, NAMES))
REQUIRED = documents.Cage((METADATA, NAMES), required=True)
ESCAPED = documents.Escape("metadata", "169.254.169.254:80", "connected")


def test_its_own_node_is_tried_at_the_kubelets_port_on_every_address() -> None:
    found = cage.targets(CAGE, ("192.0.2.7", "2001:db8::7"))
    assert found[:2] == CAGE.targets
    assert [(item.name, item.transport, item.address, item.port) for item in found[2:]] == [
        ("node", TCP, "192.0.2.7", 10250),
        ("node", TCP, "2001:db8::7", 10250),
    ]


def test_nothing_is_tried_twice() -> None:
    node = documents.CageTarget("node", TCP, "192.0.2.7", 10250)
    assert cage.targets(documents.Cage((METADATA, METADATA, node)), ("192.0.2.7",)) == (METADATA, node)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("192.0.2.7", ("192.0.2.7",)),
        ("192.0.2.7,2001:db8::7", ("192.0.2.7", "2001:db8::7")),
        (" 192.0.2.7 , ,node-1,192.0.2.7", ("192.0.2.7",)),
    ],
)
def test_the_nodes_addresses_are_read_from_one_text(text: str, found: tuple[str, ...]) -> None:
    assert cage.node_addresses(text) == found


@pytest.mark.parametrize(
    ("transport", "error", "outcome"),
    [
        (TCP, 0, "connected"),
        (TCP, errno.ECONNREFUSED, "refused"),
        (TCP, errno.ECONNRESET, "refused"),
        (TCP, None, ""),
        (TCP, errno.ETIMEDOUT, ""),
        (TCP, errno.ENETUNREACH, ""),
        (TCP, errno.EHOSTUNREACH, ""),
        (TCP, errno.EPERM, ""),
        (TCP, errno.EACCES, ""),
        (TCP, errno.EAFNOSUPPORT, ""),
        (TCP, errno.EMFILE, "EMFILE"),
        (TCP, 99_999, "errno 99999"),
        (DNS, 0, "answered"),
        (DNS, None, ""),
        (DNS, errno.EPERM, ""),
        (DNS, errno.ECONNREFUSED, ""),
        (DNS, errno.EMFILE, "EMFILE"),
    ],
)
def test_i02_an_outcome_is_an_escape_held_or_a_doubt(
    transport: documents.Transport, error: int | None, outcome: str
) -> None:
    assert cage.judge(transport, error) == outcome


@given(st.integers())
def test_i02_an_error_that_is_not_known_never_counts_as_held(error: int) -> None:
    assert cage.judge(TCP, error) or error in cage.HELD


@pytest.mark.parametrize(
    ("sent", "received", "reset"),
    [(1, 1, True), (2, 1, True), (1, 0, False), (3, 0, False), (0, 0, True), (0, 1, True)],
)
def test_i02_only_where_a_syn_left_and_nothing_came_back_was_it_a_firewall(
    sent: int, received: int, reset: bool
) -> None:
    info = b"\x07" + bytes(135) + struct.pack("=II", sent, received)
    assert cage.reset_by_target(info) is reset
    assert cage.reset_by_target(info + bytes(88)) is reset
    assert cage.reset_by_target(info[:-1]), "a kernel that does not count says nothing"


def declined(rule: contract.Rule, status: int = 403) -> gateway_answer.Declined:
    return gateway_answer.Declined(status, rule, b"", 0)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (declined(RULE.HOST_NOT_NAMED), ""),
        (declined(RULE.HOST_MALFORMED), ""),
        (declined(RULE.HOST_NOT_NAMED, 503), "egress.hosts"),
        (declined(RULE.POD_UNKNOWN), "identity.podUnknown"),
        (declined(RULE.POLICY_NOT_READY), "policy.notReady"),
        (gateway_answer.BROKEN, "gateway.unavailable"),
        (gateway_answer.Established(b""), "established"),
        (None, "gateway.unavailable"),
    ],
)
def test_i02_the_control_is_a_refusal_for_the_one_right_reason(
    answer: gateway_answer.Established | gateway_answer.Declined | None, problem: str
) -> None:
    assert cage.judge_control(answer) == problem


def test_what_is_reported_names_target_address_and_outcome() -> None:
    tries = [(METADATA, "connected"), (NAMES, ""), (SIX, "refused")]
    assert cage.findings(tries, control="") == (
        ESCAPED,
        documents.Escape("metadata", "[fd00:ec2::254]:80", "refused"),
    )


def test_a_failed_control_stands_first_and_is_no_escape() -> None:
    first, second = cage.findings([(METADATA, "connected")], control="gateway.unavailable")
    assert first == documents.Escape(documents.CONTROL, "cage.invalid:443", "gateway.unavailable")
    assert (first.reached, second.reached) == (False, True)


def test_escapes_come_before_doubts_and_all_fit_a_report() -> None:
    doubts = [(documents.CageTarget("\u00e9" * 500, TCP, "192.0.2.1", port), "EMFILE") for port in range(1, 41)]
    found = cage.findings([*doubts, (METADATA, "connected")], control="")
    assert found[0] == ESCAPED
    assert len(found) == documents.ESCAPES_MAX
    problem, missing = "\u00e9" * reporting.PROBLEM_MAX, ("r" * 32,) * reporting.MISSING_MAX
    report = documents.Report("sha256:" + "0" * 64, problem, 41, found, 2**53, 2**53, 2**53, missing)
    assert documents.Report.parse(report.dump()) == report


def test_i02_only_a_test_that_tried_something_and_found_nothing_is_a_proof() -> None:
    assert not cage.Standing().proven
    assert not cage.Standing().after(CAGE, 0, ()).proven
    assert not cage.Standing().after(CAGE, 2, (ESCAPED,)).proven
    assert cage.Standing().after(CAGE, 2, ()).proven


def test_i02_with_the_proof_required_nothing_passes_before_the_first_proof_nor_after_a_failure() -> None:
    fresh = cage.Standing()
    passed = fresh.after(REQUIRED, 2, ())
    leaked = passed.after(REQUIRED, 2, (ESCAPED,))
    doubtful = passed.after(REQUIRED, 2, cage.findings([], control="gateway.unavailable"))
    for standing, why in (
        (fresh, "not ended yet"),
        (leaked, "metadata (connected)"),
        (doubtful, "gateway.unavailable"),
    ):
        refused = standing.refusal(REQUIRED)
        assert refused is not None
        assert refused.rule is RULE.NO_PROOF
        assert why in refused.message
        assert refused.retry_after > 0
    assert passed.refusal(REQUIRED) is None
    assert leaked.after(REQUIRED, 2, ()).refusal(REQUIRED) is None


@pytest.mark.parametrize("config", [CAGE, None])
def test_where_no_proof_is_required_nothing_is_refused_for_it(config: documents.Cage | None) -> None:
    assert cage.Standing().refusal(config) is None
    assert cage.Standing().after(CAGE, 2, (ESCAPED,)).refusal(config) is None


def test_the_start_waits_for_the_first_proof_and_for_none_after_it() -> None:
    fresh = cage.Standing()
    assert not fresh.begun(REQUIRED).started
    failed = fresh.after(REQUIRED, 2, (ESCAPED,)).begun(REQUIRED)
    assert not failed.started
    passed = failed.after(REQUIRED, 2, ()).begun(REQUIRED)
    assert passed.started
    assert passed.after(REQUIRED, 2, (ESCAPED,)).begun(REQUIRED).started


@pytest.mark.parametrize("config", [CAGE, None])
def test_a_start_that_need_not_wait_is_over_whatever_is_required_later(config: documents.Cage | None) -> None:
    assert cage.Standing().begun(config).begun(REQUIRED).started


def test_a_failed_test_is_repeated_sooner_and_then_more_rarely() -> None:
    standing, waits = cage.Standing(), []
    for _ in range(9):
        standing = standing.after(CAGE, 2, (ESCAPED,))
        waits.append(standing.wait(CAGE) // SECOND)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert standing.wait(REQUIRED) == 5 * SECOND
    assert standing.after(CAGE, 2, ()).wait(CAGE) == 60 * SECOND
    assert standing.after(CAGE, 2, ()).after(CAGE, 2, (ESCAPED,)).wait(CAGE) == SECOND


def test_without_a_test_there_is_no_proof() -> None:
    assert not cage.Standing().after(CAGE, 2, ()).untested().proven
    assert cage.Standing().after(CAGE, 2, ()).begun(CAGE).untested().started


def test_the_question_asks_for_a_name_that_nobody_has() -> None:
    assert cage.QUESTION[12:] == b"\x04cage\x07invalid\x00\x00\x01\x00\x01"
    assert cage.QUESTION[4:6] == b"\x00\x01"
