"""Resolve `spec.runaway` and `lifetime.idle` into the watchdog's detectors, and `spec.containment`, with sources."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from zaum_api import documents, durations, quantities
from zaum_api.v1alpha1 import containment as containment_api
from zaum_api.v1alpha1 import defaults, policy
from zaum_api.v1alpha1 import detectors as api
from zaum_api.v1alpha1 import limits as limits_api
from zaum_operator.core.choice import NONE, Choice

_D = TypeVar("_D")


def resolve(choice: Choice, spec: policy.Spec, *, cpu_millis: int) -> documents.Runaway:
    """Resolve all detectors; one that is off is None, and says so alone."""
    asked = spec.runaway or limits_api.Runaway()
    denied, repeated = asked.denied or limits_api.Denied(), asked.repeated or limits_api.Repeated()
    return documents.Runaway(
        cpu=_cpu(choice, asked.cpu or limits_api.Cpu(), cpu_millis),
        processes=_processes(choice, asked.processes or limits_api.Processes()),
        denied=_unless_off(
            choice,
            "denied",
            denied,
            lambda of: documents.DeniedDetector(
                of("above", denied.above, defaults.DENIED_ABOVE),
                durations.seconds(of("per", denied.per, defaults.DENIED_PER)),
            ),
        ),
        memory=_memory(choice, asked.memory or api.Memory()),
        forks=_forks(choice, asked.forks or api.Forks()),
        files=_files(choice, asked.files or api.Files()),
        repeated=_unless_off(
            choice,
            "repeated",
            repeated,
            lambda of: documents.RepeatedDetector(
                of("same", repeated.same, defaults.REPEATED_SAME),
                durations.seconds(of("per", repeated.per, defaults.REPEATED_PER)),
            ),
        ),
        errors=_errors(choice, asked.errors or api.Errors()),
        no_progress=_no_progress(choice, asked.no_progress or limits_api.NoProgress()),
        egress_bytes=_egress(choice, asked.egress_bytes or api.EgressBytes()),
        idle=_idle(choice, spec),
        starved=_starved(choice, asked.starved or api.Starved()),
    )


def containment(choice: Choice, spec: policy.Spec) -> documents.Containment:
    """Resolve what follows on a breach."""
    asked = spec.containment or containment_api.Containment()
    # What the operator sees and answers by itself: no watchdog needs to know it.
    choice.of("containment.onTampering", asked.on_tampering, defaults.ON_TAMPERING)
    choice.of("containment.onCrashLoop", asked.on_crash_loop, defaults.ON_CRASH_LOOP)
    choice.of("containment.onWidenedEgress", asked.on_widened_egress, defaults.ON_WIDENED_EGRESS)
    return documents.Containment(
        documents.Step(choice.of("containment.onRunaway", asked.on_runaway, defaults.ON_RUNAWAY)),
        choice.of("containment.killsBeforeQuarantine", asked.kills_before_quarantine, defaults.KILLS_BEFORE_QUARANTINE),
        documents.Step(choice.of("containment.onBudget", asked.on_budget, defaults.ON_BUDGET)),
    )


_Of = Callable[[str, Any, Any], Any]
"""Choose a detector's value by its name, what the policy says, and the default."""


class _Switched(Protocol):
    """A detector of the API."""

    @property
    def enabled(self) -> bool | None:
        """Say whether it is on."""


def _unless_off(choice: Choice, name: str, asked: _Switched, make: Callable[[_Of], _D]) -> _D | None:
    if not choice.of(f"runaway.{name}.enabled", asked.enabled, True):
        return None
    return make(lambda field, chosen, default: choice.of(f"runaway.{name}.{field}", chosen, default))


def _cpu(choice: Choice, asked: limits_api.Cpu, cpu_millis: int) -> documents.CpuDetector | None:
    def make(of: _Of) -> documents.CpuDetector:
        percent = of("abovePercent", asked.above_percent, defaults.CPU_ABOVE_PERCENT)
        return documents.CpuDetector(percent, durations.seconds(of("for", asked.for_, defaults.CPU_FOR)), cpu_millis)

    return _unless_off(choice, "cpu", asked, make)


def _processes(choice: Choice, asked: limits_api.Processes) -> documents.ProcessDetector | None:
    def make(of: _Of) -> documents.ProcessDetector:
        above = of("above", asked.above, defaults.PROCESSES_ABOVE)
        return documents.ProcessDetector(above, durations.seconds(of("for", asked.for_, defaults.PROCESSES_FOR)))

    return _unless_off(choice, "processes", asked, make)


def _memory(choice: Choice, asked: api.Memory) -> documents.MemoryDetector | None:
    def make(of: _Of) -> documents.MemoryDetector:
        growth = of("growthPerMinute", asked.growth_per_minute, defaults.MEMORY_GROWTH_PER_MINUTE)
        return documents.MemoryDetector(
            quantities.whole(growth), durations.seconds(of("for", asked.for_, defaults.MEMORY_FOR))
        )

    return _unless_off(choice, "memory", asked, make)


def _forks(choice: Choice, asked: api.Forks) -> documents.ForkDetector | None:
    def make(of: _Of) -> documents.ForkDetector:
        above = of("above", asked.above, defaults.FORKS_ABOVE)
        return documents.ForkDetector(above, durations.seconds(of("per", asked.per, defaults.FORKS_PER)))

    return _unless_off(choice, "forks", asked, make)


def _files(choice: Choice, asked: api.Files) -> documents.FileDetector | None:
    def make(of: _Of) -> documents.FileDetector:
        above = of("above", asked.above, defaults.FILES_ABOVE)
        return documents.FileDetector(above, durations.seconds(of("for", asked.for_, defaults.FILES_FOR)))

    return _unless_off(choice, "files", asked, make)


def _errors(choice: Choice, asked: api.Errors) -> documents.ErrorDetector | None:
    def make(of: _Of) -> documents.ErrorDetector:
        return documents.ErrorDetector(
            of("abovePercent", asked.above_percent, defaults.ERRORS_ABOVE_PERCENT),
            of("ofAtLeast", asked.of_at_least, defaults.ERRORS_OF_AT_LEAST),
            durations.seconds(of("per", asked.per, defaults.ERRORS_PER)),
        )

    return _unless_off(choice, "errors", asked, make)


def _no_progress(choice: Choice, asked: limits_api.NoProgress) -> documents.NoProgressDetector | None:
    def make(of: _Of) -> documents.NoProgressDetector:
        tokens = of("tokens", asked.tokens, defaults.NO_PROGRESS_TOKENS)
        return documents.NoProgressDetector(tokens, durations.seconds(of("for", asked.for_, defaults.NO_PROGRESS_FOR)))

    return _unless_off(choice, "noProgress", asked, make)


def _egress(choice: Choice, asked: api.EgressBytes) -> documents.EgressDetector | None:
    def make(of: _Of) -> documents.EgressDetector:
        above = of("above", asked.above, defaults.EGRESS_BYTES_ABOVE)
        return documents.EgressDetector(
            quantities.whole(above), durations.seconds(of("per", asked.per, defaults.EGRESS_BYTES_PER))
        )

    return _unless_off(choice, "egressBytes", asked, make)


def _idle(choice: Choice, spec: policy.Spec) -> documents.IdleDetector | None:
    asked = spec.lifetime.idle if spec.lifetime else None
    seconds = choice.of("lifetime.idle", asked, NONE)
    return None if asked is None else documents.IdleDetector(durations.seconds(seconds))


def _starved(choice: Choice, asked: api.Starved) -> documents.StarvedDetector | None:
    def make(of: _Of) -> documents.StarvedDetector:
        late = durations.seconds(of("lateBy", asked.late_by, defaults.STARVED_LATE_BY))
        return documents.StarvedDetector(late, durations.seconds(of("for", asked.for_, defaults.STARVED_FOR)))

    return _unless_off(choice, "starved", asked, make)
