"""One run: healthy agents work, the node's cpu is taken by others, parts are restarted, the API server goes."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import urllib3.exceptions

from tests.chaos.storm import kill_api, restart_api
from tests.cluster import addresses, cluster
from tests.healthy import judge, others, reading, work
from tests.support.e2e import install, kills
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api, NotSeenError, Object
from zaum_api import contract

API_SERVER: Final = "kube-apiserver"
GATEWAY: Final = contract.COMPONENT_GATEWAY
LEDGER: Final = contract.COMPONENT_LEDGER
BEFORE_DEEDS: Final = 2
AFTER_DEEDS: Final = 3
"""In a row, of each agent, until it counts as working again."""
READY_SECONDS: Final = 90.0
GRACE_SECONDS: Final = 30.0
"""How long after a part of the way out is back calls may still fail: connections and sessions are made anew."""
SETTLED_SECONDS: Final = 90.0
BACK_SECONDS: Final = 120.0
"""kube-proxy asks again after a pause that doubles, and until then leads nobody to an API server that had gone."""
RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True)
class Plan:
    """How long things last, in seconds.

    `whole`: parts also get other pods, as `kubectl rollout restart` does, and those that are killed after that have to
    come back while the API server is away; this one ends in order, which takes its endpoint out of its Service, too.
    Else they are killed once it is back, and it is killed itself, because that is over sooner.
    """

    spin: float
    api_away: float
    calm: float
    whole: bool


FULL: Final = Plan(spin=300, api_away=120, calm=20, whole=True)
SAMPLE: Final = Plan(spin=20, api_away=15, calm=0, whole=False)


@dataclass
class Field:
    """What a run works with, and what it notes meanwhile."""

    api: Api
    agents: Agents
    tenant: str
    say: Callable[[str], None]
    phases: list[judge.Phase] = field(default_factory=list)
    away: dict[str, bool] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, *, part: str = "", more: float = 0.0) -> Iterator[None]:
        """Note what goes on; where `part` is part of the way out, its calls may fail, and for `more` seconds longer."""
        began = time.time()
        self.say(f"{name} begins")
        yield
        self.phases.append(judge.Phase(name, began, time.time() + more, excuses=bool(part)))

    def rolled(self, part: str) -> None:
        """Give a part other pods, as `kubectl rollout restart` does."""
        old = {pod["metadata"]["uid"] for pod in self._pods(part)}
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: uuid.uuid4().hex}}}}}
        with self.phase(f"other pods of {part}", part=part, more=GRACE_SECONDS):
            self.api.merge("deployments", install.NAMESPACE, f"zaum-{part}", patch)
            install.available(self.api, f"zaum-{part}")
        self.away[f"{part}, by other pods"] = not old & {pod["metadata"]["uid"] for pod in self._pods(part)}

    def struck(self, part: str) -> None:
        """Kill every process of a part, all at once."""
        with self.phase(f"{part} killed", part=part, more=GRACE_SECONDS):
            struck = [kills.kill(pod, part) for pod in self._pods(part)]
        self.away[f"{part}, killed"] = bool(struck) and all(struck)

    def without_api(self, seconds: float, *, killed: bool) -> None:
        """Have no API server for a time; it is back where pods reach it."""
        with self.phase("no API server", part=API_SERVER, more=GRACE_SECONDS):
            if killed:
                kill_api()
            else:
                cluster.stop(API_SERVER)
            try:
                self.away["the API server"] = not self._answers()
                time.sleep(seconds)
            finally:
                restart_api(killed=False)
            deadline = time.monotonic() + BACK_SECONDS
            while not self._answers():
                if time.monotonic() > deadline:
                    raise NotSeenError(f"pods did not reach the API server again within {BACK_SECONDS} s")
                time.sleep(0.2)

    def _answers(self) -> bool:
        """Say whether it answers, and has its Service's address, which pods ask."""
        try:
            self.api.get("namespaces", "", self.agents.namespace)
            socket.create_connection((addresses.API_SERVICE_IPV4, 443), timeout=1).close()
        except (OSError, urllib3.exceptions.HTTPError):
            return False
        return True

    def _pods(self, part: str) -> list[Object]:
        found = self.api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={part}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def teller() -> Callable[[str], None]:
    """Give what prints a line with the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    return say


def begin(made: Field) -> dict[str, tuple[Object, judge.Life]]:
    """Start all agents and wait until each one works; give by name its policy, and its pod as it is then."""
    ceiling = {
        "apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING, "metadata": {"name": made.agents.namespace},
        "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": made.agents.namespace}},
            "modes": ["Enforce", "Report"],
        },
    }  # fmt: skip
    made.api.apply("agentceilings", ceiling)
    policies = {policy["metadata"]["name"]: policy for policy in work.policies(made.agents)}
    for policy in policies.values():
        made.api.apply("agentpolicies", policy)
    for name in policies:
        made.agents.ready(name, seconds=READY_SECONDS)
    until_working(made, policies, since=0.0, least=BEFORE_DEEDS, seconds=READY_SECONDS)
    found = {}
    for name, policy in policies.items():
        (pod,) = reading.pods(made.api, made.agents.namespace, name)
        found[name] = policy, reading.life(pod)
    return found


def until_working(made: Field, names: object, *, since: float, least: int, seconds: float) -> None:
    """Wait until each agent's last deeds since a moment, so many in a row, went well."""
    deadline = time.monotonic() + seconds
    left = list(names)  # type: ignore[call-overload]  # anything that can be walked through
    while left:
        left = [name for name in left if not _works(made, name, since=since, least=least)]
        if left and time.monotonic() > deadline:
            raise NotSeenError(f"{left} did not work within {seconds} s")
        time.sleep(0.5 if left else 0)


def _works(made: Field, name: str, *, since: float, least: int) -> bool:
    here = made.agents.namespace
    for pod in reading.pods(made.api, here, name)[-1:]:
        lines = made.api.log_so_far(here, pod["metadata"]["name"])
        last = [deed for deed in reading.deeds(lines) if deed.at >= since][-least:]
        return len(last) == least and all(deed.ok for deed in last)
    return False


def trouble(made: Field, plan: Plan) -> tuple[float, float]:
    """Let everything happen while others take the node's cpu; give when that began, and how busy the node was."""
    with made.phase("no cpu left"):
        promised = others.spin(made.api, made.tenant, made.agents.image, seconds=plan.spin)
        made.say(f"others spin, with {promised}m of cpu promised to them")
        meter = others.Meter()
        end = time.monotonic() + plan.spin
        if plan.whole:
            made.rolled(GATEWAY)
            made.rolled(LEDGER)
        else:
            made.without_api(plan.api_away, killed=True)
        made.struck(GATEWAY)
        made.struck(LEDGER)
        if plan.whole:
            made.without_api(plan.api_away, killed=False)
        time.sleep(max(0.0, end - time.monotonic()))
        return meter.began, meter.busy()


def run(made: Field, plan: Plan) -> judge.Run:
    """Do it all and read what came of it."""
    agents = begin(made)
    made.say(f"{len(agents)} agents work")
    began, busy = trouble(made, plan)
    for component in install.COMPONENTS:
        install.available(made.api, f"zaum-{component}")
    back = time.time()
    settled: float | None = None
    try:
        until_working(made, agents, since=back, least=AFTER_DEEDS, seconds=SETTLED_SECONDS)
        settled = time.time()
        made.say(f"all agents work again, {settled - back:.0f} s after everything was back")
        time.sleep(plan.calm)
        until_working(made, agents, since=settled, least=1, seconds=READY_SECONDS)
    except NotSeenError as late:
        made.say(str(late))
    seen = tuple(
        reading.agent(made.agents, name, before, outside="egress" in policy["spec"])
        for name, (policy, before) in agents.items()
    )
    here = made.agents.namespace
    return judge.Run(
        seen, tuple(made.phases), busy, dict(made.away), began, settled,
        incidents=reading.incidents(made.api, here), killings=reading.killings(made.api, here),
    )  # fmt: skip


@contextmanager
def place(api: Api, image: str, world_ca: str, say: Callable[[str], None]) -> Iterator[Field]:
    """Make the namespaces of a run, and take everything away in the end."""
    mark = uuid.uuid4().hex[:5]
    here, tenant = f"healthy-{mark}", f"others-{mark}"
    for name in (here, tenant):
        meta = {"name": name, "labels": RESTRICTED}
        api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    agents = Agents(api, here, image=image, world_ca=world_ca)
    key = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": uuid.uuid4().hex}}
    api.apply("secrets", key | {"metadata": {"name": "model", "namespace": here}})
    try:
        yield Field(api, agents, tenant, say)
    finally:
        for name in (here, tenant):
            api.delete("namespaces", "", name)
        api.delete("agentceilings", "", here)
