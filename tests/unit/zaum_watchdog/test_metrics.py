"""The metrics page."""

import re
from collections import Counter

from zaum_api import contract, documents
from zaum_watchdog.core import metrics

LINE = re.compile(r'zaum_[a-z_]+(\{(rule|reason|rung)="[a-zA-Z.]+"\})? [0-9.]+')


def page() -> str:
    return metrics.write(
        metrics.Snapshot(
            decisions=Counter({contract.Rule.ALLOWED: 3, contract.Rule.HOST_NOT_NAMED: 2}),
            would_deny=Counter({contract.Rule.HOST_NOT_NAMED: 6}),
            tunnels=1,
            bytes_out=10,
            bytes_in=20,
            processes=4,
            lag_last=1_500_000,
            lag_max=2_000_000,
            held_max=1_750_000,
            records_dropped=5,
            degraded=True,
            unhealthy=False,
            latched=False,
            rung=documents.Rung.THROTTLED,
            would_kill={contract.Breach.RUNAWAY_CPU: 2},
            cage_proven=True,
            cage_escapes=2,
            report_failing=True,
            tokens=7,
            cost=1_250_000,
            waiting=3,
            ledger_failing=True,
        )
    ).decode()


def test_every_rule_has_a_series_even_at_zero() -> None:
    for rule in contract.Rule:
        assert f'zaum_decisions_total{{rule="{rule.value}"}} ' in page()
    assert 'zaum_decisions_total{rule="egress.allowed"} 3\n' in page()


def test_what_the_mode_report_let_pass_is_counted_apart_by_the_rules_that_it_touches() -> None:
    lines = [line for line in page().splitlines() if line.startswith("zaum_would_deny_total")]
    assert lines == [
        'zaum_would_deny_total{rule="egress.hosts"} 6',
        'zaum_would_deny_total{rule="egress.ports"} 0',
        'zaum_would_deny_total{rule="limits.bytes.inPerHour"} 0',
        'zaum_would_deny_total{rule="limits.bytes.outPerHour"} 0',
        'zaum_would_deny_total{rule="limits.connections"} 0',
        'zaum_would_deny_total{rule="limits.cost.perDay"} 0',
        'zaum_would_deny_total{rule="limits.ledgerUnavailable"} 0',
        'zaum_would_deny_total{rule="limits.requests.perMinute"} 0',
        'zaum_would_deny_total{rule="limits.tokens.perDay"} 0',
        'zaum_would_deny_total{rule="limits.tokens.perMinute"} 0',
    ]


def test_the_ladder_shows() -> None:
    shown = [line for line in page().splitlines() if line.startswith("zaum_rung{")]
    assert shown == [
        'zaum_rung{rung="Free"} 0',
        'zaum_rung{rung="Throttled"} 1',
        'zaum_rung{rung="Cut"} 0',
        'zaum_rung{rung="Killed"} 0',
    ]
    would = [line for line in page().splitlines() if line.startswith("zaum_would_kill_total{")]
    assert len(would) == len(contract.Breach)
    assert 'zaum_would_kill_total{reason="RunawayCPU"} 2' in would


def test_the_numbers_are_there() -> None:
    for line in (
        "zaum_tunnels 1",
        "zaum_bytes_out_total 10",
        "zaum_bytes_in_total 20",
        "zaum_agent_processes 4",
        "zaum_loop_lag_seconds 0.001500",
        "zaum_loop_lag_max_seconds 0.002000",
        "zaum_loop_held_max_seconds 0.001750",
        "zaum_records_dropped_total 5",
        "zaum_degraded 1",
        "zaum_latched 0",
        "zaum_cage_proven 1",
        "zaum_cage_escapes 2",
        "zaum_report_failing 1",
    ):
        assert f"{line}\n" in page()


def test_every_line_is_well_formed_and_every_family_is_described() -> None:
    lines = page().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples)
    names = {re.split(r"[{ ]", line)[0] for line in samples}
    assert {line.split()[2] for line in lines if line.startswith("# HELP")} == names
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == names


def test_the_limits_show() -> None:
    for line in ("tokens_total 7", "cost_dollars_total 1.250000", "waiting_for_ledger 3", "ledger_failing 1"):
        assert f"\nzaum_{line}\n" in page()
