"""Write metrics in Prometheus' text format (version 0.0.4).

Labels are rules, and nothing else: a neighbour that can read this learns no host name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import policy

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers of one moment; times in nanoseconds."""

    decisions: Mapping[contract.Rule, int]
    would_deny: Mapping[contract.Rule, int]
    tunnels: int
    bytes_out: int
    bytes_in: int
    processes: int
    lag_last: int
    lag_max: int
    held_max: int
    records_dropped: int
    degraded: bool
    unhealthy: bool
    latched: bool
    rung: documents.Rung
    would_kill: Mapping[contract.Breach, int]
    cage_proven: bool
    cage_escapes: int
    report_failing: bool
    tokens: int
    cost: int
    """In micro-dollars."""
    waiting: int
    ledger_failing: bool


def write(now: Snapshot) -> bytes:
    """Write every metric, also those that are zero: an absent series and a silent one must not look alike."""
    lines: list[str] = []
    _family(lines, "decisions_total", "counter", "Decisions by rule.")
    for rule in contract.Rule:
        lines.append(f'{contract.METRIC_PREFIX}decisions_total{{rule="{rule.value}"}} {now.decisions.get(rule, 0)}')
    _family(lines, "would_deny_total", "counter", "Requests that only the mode Report let pass, by rule.")
    for rule in sorted(policy.WOULD_DENY):
        lines.append(f'{contract.METRIC_PREFIX}would_deny_total{{rule="{rule.value}"}} {now.would_deny.get(rule, 0)}')
    _family(lines, "would_kill_total", "counter", "Breaches that only the mode Report let pass, by reason.")
    for breach in contract.Breach:
        count = now.would_kill.get(breach, 0)
        lines.append(f'{contract.METRIC_PREFIX}would_kill_total{{reason="{breach.value}"}} {count}')
    _family(lines, "rung", "gauge", "1 for the rung of the ladder on which the agent stands.")
    for rung in documents.Rung:
        lines.append(f'{contract.METRIC_PREFIX}rung{{rung="{rung.value}"}} {rung is now.rung:d}')
    for name, kind, text, value in (
        ("tunnels", "gauge", "Tunnels that are open or being opened.", f"{now.tunnels}"),
        ("bytes_out_total", "counter", "Bytes from the agent through closed and open tunnels.", f"{now.bytes_out}"),
        ("bytes_in_total", "counter", "Bytes to the agent through closed and open tunnels.", f"{now.bytes_in}"),
        ("agent_processes", "gauge", "Processes of the agent at the last sample.", f"{now.processes}"),
        ("loop_lag_seconds", "gauge", "How late the event loop's last tick was.", f"{now.lag_last / 1e9:.6f}"),
        ("loop_lag_max_seconds", "gauge", "How late the latest tick was since the start.", f"{now.lag_max / 1e9:.6f}"),
        ("loop_held_max_seconds", "gauge", "The same, as far as its own work did it.", f"{now.held_max / 1e9:.6f}"),
        ("records_dropped_total", "counter", "Log records that did not fit the queue.", f"{now.records_dropped}"),
        ("degraded", "gauge", "1 while the last good config is kept because the newest is not.", f"{now.degraded:d}"),
        ("agent_unhealthy", "gauge", "1 while the agent fails its own health check.", f"{now.unhealthy:d}"),
        ("latched", "gauge", "1 after a breach.", f"{now.latched:d}"),
        ("cage_proven", "gauge", "1 after a cage test that passed, until one that does not.", f"{now.cage_proven:d}"),
        ("cage_escapes", "gauge", "Targets that the last cage test reached.", f"{now.cage_escapes}"),
        ("tokens_total", "counter", "Model tokens that were charged.", f"{now.tokens}"),
        ("cost_dollars_total", "counter", "US dollars that were charged.", f"{now.cost / 1e6:.6f}"),
        ("waiting_for_ledger", "gauge", "Calls that wait for the ledger to lend.", f"{now.waiting}"),
        ("ledger_failing", "gauge", "1 while the ledger does not answer.", f"{now.ledger_failing:d}"),
        ("report_failing", "gauge", "1 while the last report was not taken.", f"{now.report_failing:d}"),
    ):
        _family(lines, name, kind, text)
        lines.append(f"{contract.METRIC_PREFIX}{name} {value}")
    return ("\n".join(lines) + "\n").encode("ascii")


def _family(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {contract.METRIC_PREFIX}{name} {text}")
    lines.append(f"# TYPE {contract.METRIC_PREFIX}{name} {kind}")
