"""Resolve a spec, under its namespace's ceilings, into the values that are enforced, each with its source."""

from dataclasses import dataclass, field

from zaum_api import contract, documents, durations, quantities
from zaum_api.conditions import Reason
from zaum_api.v1alpha1 import agent as agent_api
from zaum_api.v1alpha1 import defaults, policy
from zaum_api.v1alpha1 import ingress as ingress_api
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import liveness as liveness_api
from zaum_egress import hosts as egress_hosts
from zaum_operator.core import ceilings as ceilings_of
from zaum_operator.core import choice as choices
from zaum_operator.core import detectors, metering, refusals
from zaum_operator.core import routes as routes_of
from zaum_operator.core.ceiling import Cap
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.choice import Choice
from zaum_operator.core.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Refused:
    """A host of the spec that gets no egress, and why. `ceiling`: the one that does not allow it."""

    host: str
    problem: str
    ceiling: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """The agent's own token."""

    audience: str
    seconds: int


@dataclass(frozen=True, slots=True)
class NoToken:
    """A token that the spec asks for and that is not mounted."""

    reason: Reason
    problem: str


@dataclass(frozen=True, slots=True)
class Persistent:
    """A workspace that outlives its pods. An empty class is the cluster's default."""

    storage_class: str


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
    task: bool = False
    liveness: documents.Liveness | None = None
    lifetime: int | None = None
    """Seconds that one pod lives at most."""
    persistent: Persistent | None = None
    token: Token | NoToken | None = None
    ingress: tuple[ingress_api.Ingress, ...] = ()
    host_users: bool | None = None
    """None: as the installation has it."""
    refusals: tuple[Refusal, ...] = ()
    """Why no pod may run."""
    mode: documents.Mode = documents.Mode.ENFORCE
    mode_refused: str = ""
    """Why the mode Report, which the spec asks for, is not in force."""
    require_proof: bool = False
    named: tuple[routes_of.Named, ...] = ()
    """All routes of the spec, in its order."""
    routes: tuple[documents.Route, ...] = ()
    """Those in force."""
    closed: tuple[routes_of.Closed, ...] = ()
    """Those that lead nowhere."""
    metered: metering.Metered = metering.NOTHING
    prices: tuple[documents.PriceTable, ...] = ()
    """The installation's, of the APIs that routes in force have."""
    unpriced: tuple[metering.Unpriced, ...] = ()
    containment: documents.Containment = field(default_factory=documents.Containment)

    def document(self) -> documents.Effective:
        """Give what stands in the status and what the authorizer reads."""
        leads = tuple(
            documents.EffectiveRoute(route.name, route.host, route.port, route.service) for route in self.routes
        )
        return documents.Effective(hosts=self.hosts, fields=self.fields, mode=self.mode, routes=leads)


def resolve(
    spec: policy.Spec,
    ceilings: Ceilings = ceilings_of.NONE,
    *,
    api_audiences: tuple[str, ...] = (),
    cluster: routes_of.Cluster = routes_of.Cluster(),
    ledger: bool = True,
) -> Effective:
    """Resolve a valid spec. Absent means the default, which is never more than what a policy could have asked for.

    `api_audiences` are the API server's own: no agent's token may carry one. `cluster`: what routes lead to.
    `ledger`: whether there is one, without which nothing is spent of what needs leases.
    """
    choice = Choice(ceilings)
    agent, limits = spec.agent, spec.limits or limits_api.Limits()
    kind = choice.of("agent.type", agent.type, defaults.TYPE)
    replicas = choice.capped(Cap.REPLICAS, agent.replicas, defaults.REPLICAS)
    sizes, workspace_path = _sizes(choice, agent)
    rules, refused = _hosts(spec, ceilings, cluster.domain)
    mode, mode_refused = _mode(choice, spec)
    found, closed = routes_of.resolve(spec, ceilings, cluster)
    requests = _requests(choice, limits.requests or limits_api.Requests())
    connections = choice.capped(Cap.CONNECTIONS, limits.connections, defaults.CONNECTIONS)
    if ceilings.blocking:
        choice.record("incidents.blockImages", f"true (AgentCeiling {ceilings.blocking[0]})", documents.Source.CEILING)
    metered = metering.resolve(choice, spec, hosts=rules, routes=found, ledger=ledger)
    return Effective(
        hosts=rules,
        refused=refused,
        requests=requests,
        connections=connections,
        metered=metered,
        prices=tuple(table for table in cluster.prices if table.api in {route.api for route in found}),
        unpriced=metering.unpriced(found, cluster.prices, metered),
        runaway=detectors.resolve(choice, spec, cpu_millis=sizes.cpu_millis),
        containment=detectors.containment(choice, spec),
        replicas=replicas,
        stopped=spec.desired_state == "Stopped",
        sizes=sizes,
        workspace_path=workspace_path,
        task=kind == "Task",
        liveness=_liveness(choice, agent.liveness),
        lifetime=_lifetime(choice, spec),
        persistent=_persistent(choice, agent),
        token=_token(choice, spec, api_audiences),
        ingress=_ingress(choice, spec),
        host_users=agent.host_users,
        refusals=refusals.of_agent(agent, ceilings),
        mode=mode,
        mode_refused=mode_refused,
        require_proof=_proof(choice, spec),
        named=routes_of.named(spec),
        routes=found,
        closed=closed,
        fields=tuple(choice.fields),
    )


def _mode(choice: Choice, spec: policy.Spec) -> tuple[documents.Mode, str]:
    """Resolve the mode: Report has to be granted, and without a grant it is no reason to run nothing."""
    asked = documents.Mode(spec.mode)
    if asked is documents.Mode.ENFORCE:
        return choice.of("mode", asked if "mode" in spec.model_fields_set else None, asked), ""
    enforced, stated = documents.Mode.ENFORCE, choice.ceilings.modes
    against = [item.ceiling for item in stated if asked not in item.value]
    if against:
        choice.record("mode", f"{enforced} (AgentCeiling {against[0]})", documents.Source.CEILING)
        return enforced, f"AgentCeiling {against[0]} does not grant it"
    if not stated:
        choice.record("mode", f"{enforced} (granted by no AgentCeiling)", documents.Source.CEILING)
        return enforced, "no AgentCeiling of this namespace grants it"
    return choice.of("mode", asked, enforced), ""


def _proof(choice: Choice, spec: policy.Spec) -> bool:
    asked = spec.egress.require_proof if spec.egress else None
    if choice.ceilings.proof and not asked:
        text = f"true (AgentCeiling {choice.ceilings.proof[0]})"
        choice.record("egress.requireProof", text, documents.Source.CEILING)
        return True
    return choice.of("egress.requireProof", asked, defaults.REQUIRE_PROOF)


def _hosts(
    spec: policy.Spec, ceilings: Ceilings, domain: str
) -> tuple[tuple[documents.HostRule, ...], tuple[Refused, ...]]:
    rules: list[documents.HostRule] = []
    refused: list[Refused] = []
    for entry in (spec.egress.hosts if spec.egress else None) or ():
        pattern = egress_hosts.parse_pattern(entry.host, cluster_domain=domain)
        if isinstance(pattern, egress_hosts.Malformed):
            refused.append(Refused(entry.host, pattern.problem))
            continue
        forbids = [stated.ceiling for stated in ceilings.hosts if not refusals.allows_host(stated.value, pattern)]
        if forbids:
            refused.append(Refused(entry.host, "lies outside what is allowed", forbids[0]))
            continue
        ports = tuple(sorted(defaults.HOST_PORTS if entry.ports is None else entry.ports))
        rules.append(documents.HostRule(pattern.text, ports))
    # Their order means nothing, and must not make another document.
    return tuple(sorted(rules, key=lambda rule: (rule.host, rule.ports))), tuple(refused)


def _sizes(choice: Choice, agent: agent_api.Agent) -> tuple[Sizes, str]:
    resources = agent.resources or agent_api.Resources()
    workspace = agent.workspace or agent_api.Workspace()
    sizes = Sizes(
        cpu_millis=choice.capped(
            Cap.CPU,
            None if resources.cpu is None else quantities.millis(resources.cpu),
            quantities.millis(defaults.CPU),
            quantities.write_millis,
        ),
        memory=_bytes(choice, Cap.MEMORY, resources.memory, defaults.MEMORY),
        ephemeral=_bytes(choice, Cap.EPHEMERAL, resources.ephemeral_storage, defaults.EPHEMERAL_STORAGE),
        workspace=_bytes(choice, Cap.WORKSPACE, workspace.size, defaults.WORKSPACE_SIZE),
    )
    return sizes, choice.of("agent.workspace.mountPath", workspace.mount_path, contract.WORKSPACE)


def _bytes(choice: Choice, cap: Cap, chosen: int | str | None, default: str) -> int:
    wanted = None if chosen is None else quantities.whole(chosen)
    return choice.capped(cap, wanted, quantities.whole(default), quantities.write_bytes)


def _persistent(choice: Choice, agent: agent_api.Agent) -> Persistent | None:
    asked = agent.workspace.persistent if agent.workspace else None
    if asked is None:
        choice.of("agent.workspace.persistent", None, False)
        return None
    name = asked.storage_class or ""
    choice.of("agent.workspace.persistent", f"StorageClass {name}" if name else "the cluster's StorageClass", "")
    return Persistent(name)


def _lifetime(choice: Choice, spec: policy.Spec) -> int | None:
    asked = spec.lifetime.max if spec.lifetime else None
    return choice.at_most(Cap.LIFETIME, None if asked is None else durations.seconds(asked), durations.write)


def _token(choice: Choice, spec: policy.Spec, api_audiences: tuple[str, ...]) -> Token | NoToken | None:
    asked = spec.identity.token if spec.identity else None
    if asked is None:
        choice.of("identity.token.audience", None, choices.NONE)
        return None
    audience = asked.audience
    if audience in api_audiences:
        choice.of("identity.token.audience", choices.NONE, "")
        return NoToken(Reason.AUDIENCE_REFUSED, f"the audience {audience} is the API server's own")
    for stated in choice.ceilings.audiences:
        if audience not in stated.value:
            choice.denied("identity.token.audience", stated.ceiling)
            return NoToken(
                Reason.CEILING_EXCEEDED, f"AgentCeiling {stated.ceiling} does not allow the audience {audience}"
            )
    choice.of("identity.token.audience", audience, "")
    lifetime = choice.of("identity.token.lifetime", asked.lifetime, defaults.IDENTITY_TOKEN_LIFETIME)
    return Token(audience, durations.seconds(lifetime))


def _ingress(choice: Choice, spec: policy.Spec) -> tuple[ingress_api.Ingress, ...]:
    asked = tuple(spec.ingress or ())
    if asked and choice.ceilings.ingress_denied:
        choice.denied("ingress", choice.ceilings.ingress_denied[0])
        return ()
    ports = ", ".join(f"port {entry.port}" for entry in asked)
    choice.of("ingress", ports or None, choices.NONE)
    return asked


def _liveness(choice: Choice, asked: liveness_api.Liveness | None) -> documents.Liveness | None:
    if asked is None:
        choice.of("agent.liveness", None, choices.NONE)
        return None
    get, tcp = asked.http_get, asked.tcp_socket
    path = "" if get is None else get.path or defaults.LIVENESS_PATH
    port = get.port if get is not None else tcp.port if tcp is not None else 0
    kind = documents.LivenessKind.TCP if get is None else documents.LivenessKind.HTTP
    found = documents.Liveness(
        kind=kind,
        port=port,
        path=path,
        initial_delay_seconds=_or(asked.initial_delay_seconds, defaults.LIVENESS_INITIAL_DELAY_SECONDS),
        period_seconds=_or(asked.period_seconds, defaults.LIVENESS_PERIOD_SECONDS),
        timeout_seconds=_or(asked.timeout_seconds, defaults.LIVENESS_TIMEOUT_SECONDS),
        failure_threshold=_or(asked.failure_threshold, defaults.LIVENESS_FAILURE_THRESHOLD),
    )
    text = (
        f"{kind.value} port {port}{path and f' {path}'}, {found.failure_threshold} times in a row every"
        f" {found.period_seconds}s, each within {found.timeout_seconds}s, after {found.initial_delay_seconds}s"
    )
    choice.of("agent.liveness", text, "")
    return found


def _or(chosen: int | None, default: int) -> int:
    return default if chosen is None else chosen


def _requests(choice: Choice, requests: limits_api.Requests) -> documents.RequestRate:
    """Resolve the rate. A burst that nobody asked for is never more than a minute's worth; none is none."""
    rate = choice.capped(Cap.REQUESTS_PER_MINUTE, requests.per_minute, defaults.REQUESTS_PER_MINUTE)
    burst = choice.capped(Cap.REQUESTS_BURST, requests.burst, min(defaults.REQUESTS_BURST, rate))
    return documents.RequestRate(per_minute=rate, burst=burst if rate else 0)
