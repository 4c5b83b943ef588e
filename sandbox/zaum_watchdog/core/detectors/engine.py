"""Feed every detector on every tick and name the breach."""

from dataclasses import dataclass, field

from zaum_api import contract, documents
from zaum_watchdog.core.detectors import cpu, denied, held, processes, sample


@dataclass(frozen=True, slots=True)
class Engine:
    """The state of all detectors between ticks. It outlives a change of thresholds, which apply from the next tick."""

    cpu_held: held.Held = field(default_factory=held.Held)
    processes_held: held.Held = field(default_factory=held.Held)
    denials: denied.Times = ()

    def feed(self, config: documents.Runaway, now: sample.Sample) -> tuple["Engine", tuple[contract.Breach, ...]]:
        """Add one tick; give the state after it and every breach, the gravest first. A detector that is off forgets."""
        breaches: list[contract.Breach] = []
        after_processes, after_denied, after_cpu = held.Held(), denied.Times(), held.Held()
        if config.processes is not None:
            after_processes, tripped = processes.feed(config.processes, self.processes_held, now)
            breaches += [contract.Breach.RUNAWAY_PROCESSES] * tripped
        if config.denied is not None:
            after_denied, tripped = denied.feed(config.denied, self.denials, now)
            breaches += [contract.Breach.RUNAWAY_DENIED] * tripped
        if config.cpu is not None:
            after_cpu, tripped = cpu.feed(config.cpu, self.cpu_held, now)
            breaches += [contract.Breach.RUNAWAY_CPU] * tripped
        return Engine(after_cpu, after_processes, after_denied), tuple(breaches)
