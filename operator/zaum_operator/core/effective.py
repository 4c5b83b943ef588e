"""Resolve a spec into the values that are enforced, each with its source."""

from dataclasses import dataclass, field
from typing import Final, TypeVar

from zaum_api import contract, documents, durations, quantities
from zaum_api.v1alpha1 import agent as agent_api
from zaum_api.v1alpha1 import defaults, policy
from zaum_api.v1alpha1 import limits as limits_api
from zaum_egress import hosts as egress_hosts

_T = TypeVar("_T")
_VALUE_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Refused:
    """A host of the spec that gets no egress, and why."""

    host: str
    problem: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one agent may use: thousandths of a core, and bytes."""

    cpu_millis: int
    memory: int
    ephemeral: int
    workspace: int


@dataclass(frozen=True, slots=True)
class Effective:
    """Everything that is enforced for one policy."""

    hosts: tuple[documents.HostRule, ...]
    refused: tuple[Refused, ...]
    requests: documents.RequestRate
    connections: int
    runaway: documents.Runaway
    replicas: int
    stopped: bool
    sizes: Sizes
    workspace_path: str
    fields: tuple[documents.EffectiveField, ...]

    def document(self) -> documents.Effective:
        """Give what stands in the status and what the authorizer reads."""
        return documents.Effective(hosts=self.hosts, fields=self.fields)


@dataclass(slots=True)
class _Choice:
    """Choose between the policy's value and the default, and write down which it was."""

    fields: list[documents.EffectiveField] = field(default_factory=list)

    def of(self, name: str, chosen: _T | None, default: _T) -> _T:
        """Choose and record."""
        value = default if chosen is None else chosen
        self.record(name, value, documents.Source.DEFAULT if chosen is None else documents.Source.POLICY)
        return value

    def record(self, name: str, value: object, source: documents.Source) -> None:
        """Record a value."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        self.fields.append(documents.EffectiveField(name, text[:_VALUE_MAX], source))


def resolve(spec: policy.Spec) -> Effective:
    """Resolve a valid spec. Absent means the default, which is never more than what a policy could have asked for."""
    choice = _Choice()
    replicas = choice.of("agent.replicas", spec.agent.replicas, defaults.REPLICAS)
    sizes, workspace_path = _sizes(choice, spec.agent)
    limits = spec.limits or limits_api.Limits()
    rules, refused = _hosts(spec)
    return Effective(
        hosts=rules,
        refused=refused,
        requests=_requests(choice, limits.requests or limits_api.Requests()),
        connections=choice.of("limits.connections", limits.connections, defaults.CONNECTIONS),
        runaway=_runaway(choice, spec.runaway or limits_api.Runaway(), sizes.cpu_millis),
        replicas=replicas,
        stopped=spec.desired_state == "Stopped",
        sizes=sizes,
        workspace_path=workspace_path,
        fields=tuple(choice.fields),
    )


def _hosts(spec: policy.Spec) -> tuple[tuple[documents.HostRule, ...], tuple[Refused, ...]]:
    rules: list[documents.HostRule] = []
    refused: list[Refused] = []
    for entry in (spec.egress.hosts if spec.egress else None) or ():
        pattern = egress_hosts.parse_pattern(entry.host)
        if isinstance(pattern, egress_hosts.Malformed):
            refused.append(Refused(entry.host, pattern.problem))
            continue
        ports = tuple(sorted(defaults.HOST_PORTS if entry.ports is None else entry.ports))
        rules.append(documents.HostRule(pattern.text, ports))
    return tuple(rules), tuple(refused)


def _sizes(choice: _Choice, agent: agent_api.Agent) -> tuple[Sizes, str]:
    resources = agent.resources or agent_api.Resources()
    workspace = agent.workspace or agent_api.Workspace()
    amounts: dict[str, tuple[int | str | None, int | str]] = {
        "agent.resources.cpu": (resources.cpu, defaults.CPU),
        "agent.resources.memory": (resources.memory, defaults.MEMORY),
        "agent.resources.ephemeralStorage": (resources.ephemeral_storage, defaults.EPHEMERAL_STORAGE),
        "agent.workspace.size": (workspace.size, defaults.WORKSPACE_SIZE),
    }
    cpu, *room = (choice.of(name, chosen, default) for name, (chosen, default) in amounts.items())
    memory, ephemeral, size = map(quantities.whole, room)
    sizes = Sizes(cpu_millis=quantities.millis(cpu), memory=memory, ephemeral=ephemeral, workspace=size)
    return sizes, choice.of("agent.workspace.mountPath", workspace.mount_path, contract.WORKSPACE)


def _requests(choice: _Choice, requests: limits_api.Requests) -> documents.RequestRate:
    """Resolve the rate. A burst that nobody asked for is never more than a minute's worth; none is none."""
    rate = choice.of("limits.requests.perMinute", requests.per_minute, defaults.REQUESTS_PER_MINUTE)
    burst = choice.of("limits.requests.burst", requests.burst, min(defaults.REQUESTS_BURST, rate))
    return documents.RequestRate(per_minute=rate, burst=burst if rate else 0)


def _runaway(choice: _Choice, runaway: limits_api.Runaway, cpu_millis: int) -> documents.Runaway:
    cpu, processes = runaway.cpu or limits_api.Cpu(), runaway.processes or limits_api.Processes()
    denied = runaway.denied or limits_api.Denied()
    return documents.Runaway(
        cpu=documents.CpuDetector(
            above_percent=choice.of("runaway.cpu.abovePercent", cpu.above_percent, defaults.CPU_ABOVE_PERCENT),
            for_seconds=durations.seconds(choice.of("runaway.cpu.for", cpu.for_, defaults.CPU_FOR)),
            limit_millis=cpu_millis,
        )
        if choice.of("runaway.cpu.enabled", cpu.enabled, True)
        else None,
        processes=documents.ProcessDetector(
            above=choice.of("runaway.processes.above", processes.above, defaults.PROCESSES_ABOVE),
            for_seconds=durations.seconds(choice.of("runaway.processes.for", processes.for_, defaults.PROCESSES_FOR)),
        )
        if choice.of("runaway.processes.enabled", processes.enabled, True)
        else None,
        denied=documents.DeniedDetector(
            above=choice.of("runaway.denied.above", denied.above, defaults.DENIED_ABOVE),
            per_seconds=durations.seconds(choice.of("runaway.denied.per", denied.per, defaults.DENIED_PER)),
        )
        if choice.of("runaway.denied.enabled", denied.enabled, True)
        else None,
    )
