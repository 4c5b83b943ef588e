"""Group 16: look everywhere for what only few may hold: a route's credential, and tokens of ServiceAccounts.

An agent looks within its reach without being told what to find; the world's administrator looks at what the API
server, logs, metrics and processes show. Each place has a decoy or something known in it, or it was not looked at.
"""

import base64
import json
import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.battery import deeds
from tests.battery.deeds import Scene
from tests.battery.judge import Outcome
from tests.cluster import addresses, cluster
from tests.support.e2e import canary, install, kills, responders
from tests.support.e2e.agents import FILES, READY_SECONDS, RESTRICTED, Agents, agent_started, free_pod
from tests.support.e2e.api import Api, NotSeenError, Object
from tests.support.e2e.controls import control, holds

GROUP: Final = 16
REACH_TOKEN: Final = "a ServiceAccount's token within an agent's reach"
REACH_KEY: Final = "a route's credential within an agent's reach"
STORED: Final = "what the API server holds"
LOGGED: Final = "logs and records"
COUNTED: Final = "metrics"
AUDITED: Final = "the API server's audit"
PROCESSES: Final = "arguments and environment of our processes"
POLICY: Final = "canary"
TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}")
PLACES: Final[Mapping[str, Callable[[str], bool]]] = {
    "every path": lambda place: place.startswith("/") and not place.startswith("/proc/"),
    "the environment": lambda place: place == "environ",
    "what /proc shows of every process": lambda place: place.startswith("/proc/"),
    "memory": lambda place: place == "memory",
    "answers": lambda place: place == "answers",
}
LOG_SECONDS: Final = 60.0


def decoy_token() -> str:
    """Make what looks like a token, signed by nobody."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (
        {"alg": "RS256", "kid": "none"}, {"iss": "nobody", "sub": secrets.token_hex(8)},
    )]  # fmt: skip
    return ".".join([*parts, secrets.token_urlsafe(64)])


@dataclass
class Search:
    """One search. `key` is the credential; the others are decoys, which must be found."""

    api: Api
    agents: Agents
    free: Agents
    key: str = field(default_factory=canary.canary)
    in_env: str = field(default_factory=canary.canary)
    in_file: str = field(default_factory=canary.canary)
    token: str = field(default_factory=decoy_token)
    pod: Object = field(default_factory=dict)
    used: Object = field(default_factory=dict)
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the agent: hash → places."""
    free_found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the unguarded pod, which has a token as every pod has by default."""

    @property
    def decoys(self) -> list[Object]:
        """Give the environment in which decoys are."""
        return [{"name": "DECOY", "value": self.in_env}, {"name": "DECOY_TOKEN", "value": self.token}]

    def look(self) -> None:
        """Let both pods look."""
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": self.key}}
        meta = {"name": POLICY, "namespace": self.agents.namespace}
        self.api.apply("secrets", secret | {"metadata": meta})
        planted = {"decoy": self.in_file, "decoy_token": self.token}
        files = self.agents.files(POLICY, main_py=canary.PROGRAM, **planted)
        command = ["python3", "-u", f"{FILES}/main.py"]
        policy = self.agents.policy(POLICY, command=command, files=files, egress=egress())
        policy["spec"]["agent"]["env"] += self.decoys
        self.api.apply("agentpolicies", policy)
        program = canary.SAYING + "import os\nprint(os.environ['DECOY_TOKEN'])\n" + canary.SEARCHING
        files = self.free.files(POLICY, main_py=program, **planted)
        body = free_pod(self.free.namespace, POLICY, image=self.free.image, command=command, files=files)
        body["spec"]["containers"][0]["env"] += self.decoys
        self.api.apply("pods", body)
        self.pod = self.agents.running(POLICY)
        unguarded = self.api.until(
            "pods", self.free.namespace, POLICY, agent_started, seconds=READY_SECONDS, what="the control started"
        )
        self.used, _, searched = self.agents.outcomes(self.pod, 3)
        self.found = searched["found"]
        (searched,) = self.free.outcomes(unguarded, 1)
        self.free_found = searched["found"]

    # Within the agent's reach

    def reached(self) -> Iterator[Scene]:
        """Give what the agent looked at."""
        for title, within in PLACES.items():
            if title != "answers":
                yield Scene(GROUP, REACH_TOKEN, title, lambda within=within: self.no_token(within))  # type: ignore[misc]
            yield Scene(GROUP, REACH_KEY, title, lambda within=within: self.no_key(within))  # type: ignore[misc]

    def at(self, found: Mapping[str, Sequence[str]], text: str, within: Callable[[str], bool]) -> list[str]:
        """Name the places where a text was found."""
        return [place for place in found.get(canary.sha(text), ()) if within(place)]

    def no_token(self, within: Callable[[str], bool]) -> str:
        """See that nothing was found that looks like a token but the decoy."""
        control(self.at(self.found, self.token, within), "the decoy was not found")
        known = {canary.sha(text) for text in (self.key, self.in_env, self.in_file, self.token)}
        stray = {name: places for name, places in self.free_found.items() if name not in known}
        control(
            any("/serviceaccount" in place for places in stray.values() for place in places),
            "the unguarded pod did not find its own token",
        )
        found = [place for name, places in self.found.items() if name not in known for place in places if within(place)]
        holds(not found, f"a token in {found}")
        return "the decoy was found, and no other"

    def no_key(self, within: Callable[[str], bool]) -> str:
        """See that the credential was not found, although it was used."""
        sent = canary.sha(f"Bearer {self.key}"[::-1])
        control((self.used["status"], self.used["sent"]) == (200, sent), "the upstream did not see the credential")
        if not within("answers"):
            decoys = (self.in_env, self.in_file)
            control(any(self.at(self.found, text, within) for text in decoys), "the decoy was not found")
        found = self.at(self.found, self.key, within)
        holds(not found, f"the credential in {found}")
        return "used, and not found"

    # What others see

    def seen(self) -> Iterator[Scene]:
        """Give what is looked at from outside."""
        for kind in canary.KINDS:
            yield Scene(GROUP, STORED, kind, lambda kind=kind: self.not_stored(kind))  # type: ignore[misc]
        yield Scene(GROUP, STORED, "secrets: in one and no other", self.stored_once)
        for name, namespace in (("our parts", install.NAMESPACE), ("agents and watchdogs", self.agents.namespace)):
            yield Scene(GROUP, LOGGED, name, lambda where=namespace: self.not_logged(where))  # type: ignore[misc]
        yield Scene(GROUP, COUNTED, "operator, authorizer, watchdog", self.not_counted)
        yield Scene(GROUP, AUDITED, "all of it", self.not_audited)
        yield Scene(GROUP, PROCESSES, "of all parts", self.not_in_processes)
        # The last one, because it ends the pod.
        yield Scene(GROUP, STORED, "incidents, with an agent's last words", self.not_in_incidents)

    def clean(self, places: Mapping[str, bytes]) -> str:
        """See that neither the credential nor a token is in any of these places."""
        control(places, "nothing was looked at")
        held, looked = canary.hits(self.key, iter(places.items()))
        holds(not held, f"the credential in {held}")
        mine = self.token.encode()
        stray = [name for name, data in places.items() if any(hit != mine for hit in TOKEN.findall(data))]
        holds(not stray, f"a token in {stray}")
        return f"not in {looked} places"

    def planted(self, text: str, places: Mapping[str, bytes]) -> None:
        """Check that a decoy is found."""
        control(canary.hits(text, iter(places.items()))[0], "the decoy was not found")

    def not_stored(self, kind: str) -> str:
        """Look at all objects of a kind."""
        places = dict(canary.objects(self.api, kind))
        if kind in {"pods", "agentpolicies"}:
            self.planted(self.in_env, places)
        if kind == "configmaps":
            self.planted(self.in_file, places)
        return self.clean(places)

    def stored_once(self) -> str:
        """Look at all Secrets."""
        held, looked = canary.hits(self.key, canary.objects(self.api, "secrets"))
        own = f"secrets {self.agents.namespace}/{POLICY}"
        control(own in held, "the credential is not in its own Secret")
        holds(held == [own], f"copies: {held}")
        return f"in one of {looked}"

    def not_logged(self, namespace: str) -> str:
        """Look at what all containers printed; the unguarded pod has printed the decoy."""
        self.planted(self.token, dict(canary.logs(self.api, self.free.namespace)))
        places = {name: text for name, text in canary.logs(self.api, namespace) if text}
        access = addresses.API_NAME.encode()
        control(any(access in text for text in places.values()), "no log knows the host that was asked")
        return self.clean(places)

    def not_counted(self) -> str:
        """Look at metrics."""
        places = dict(canary.metrics(self.api, self.pod))
        control(all(b"zaum_" in text for text in places.values()), f"no metrics: {sorted(places)}")
        return self.clean(places)

    def not_audited(self) -> str:
        """Look at the API server's audit log."""
        text = cluster.audit_log().read_bytes()
        control(self.agents.namespace.encode() in text, "the audit does not know the namespace")
        return self.clean({"audit": text})

    def not_in_processes(self) -> str:
        """Look at arguments and environment of the first process of each container; the agent's has the decoy."""
        places: dict[str, bytes] = {}
        for namespace in (install.NAMESPACE, self.agents.namespace):
            for pod in self.api.items("pods", namespace):
                status = pod["status"]
                for state in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
                    if "running" in state["state"]:
                        places |= shown(pod, state["name"])
        self.planted(self.in_env, places)
        return self.clean(places)

    def not_in_incidents(self) -> str:
        """End the agent by an Incident, which keeps what it printed last."""
        user, somebody = responders.person(self.api, self.agents.namespace, "create", "list", "get")
        spec: dict[str, Any] = {**responders.asked(user), "policyRef": {"name": POLICY}}
        made = somebody.create("incidents", responders.incident(self.agents.namespace, spec))
        name = made["metadata"]["name"]
        try:
            self.api.until(
                "incidents", self.agents.namespace, name,
                lambda seen: "searched" in seen.get("status", {}).get("logs", {}).get("agent", ""),
                seconds=LOG_SECONDS, what="the agent's last words in its Incident",
            )  # fmt: skip
        except NotSeenError as error:
            control(fact=False, what=str(error))
        return self.clean(dict(canary.objects(self.api, "incidents", "events")))


def shown(pod: Object, container: str) -> dict[str, bytes]:
    """Give arguments and environment of a container's first process."""
    process = Path("/proc", str(kills.process_of(pod, container)))
    name = f"{pod['metadata']['name']}/{container}"
    return {f"{name} {part}": (process / part).read_bytes() for part in ("cmdline", "environ")}


def egress() -> Object:
    """Give one route with the credential."""
    route = {
        "name": "api", "upstream": f"https://{addresses.API_NAME}",
        "credential": {"secretKeyRef": {"name": POLICY, "key": "key"}},
        "allow": [{"methods": ["GET", "POST"], "path": "/v1/*"}],
    }  # fmt: skip
    return {"routes": [route]}


def play(
    api: Api, image: str, say: Callable[[str], None], *, sampled: bool, only: str = ""
) -> tuple[list[Outcome], list[str]]:
    """Search all places; there is no smaller sample of it."""
    del sampled
    run = uuid.uuid4().hex[:6]
    names = f"search-{run}", f"search-free-{run}"
    authority = (cluster.world_state() / "ca.crt").read_text()
    try:
        for name in names:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
            api.apply("namespaces", body)
        agents, free = (Agents(api, name, image=image, world_ca=authority) for name in names)
        search = Search(api, agents, free)
        search.look()
        outcomes = list(deeds.played(deeds.kept([*search.reached(), *search.seen()], only)))
        say(f"group {GROUP}: {len(outcomes)} attempts")
        return outcomes, []
    finally:
        for name in names:
            api.delete("namespaces", "", name)
