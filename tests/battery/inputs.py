"""Group 18: policies that nobody should write. Each is refused with a reason, or answered; the operator lives on."""

import copy
import uuid
from collections.abc import Callable, Iterator
from typing import Final

from tests.battery import deeds, yard
from tests.battery.deeds import SCHEMA, Deed, Scene
from tests.battery.judge import Outcome
from tests.chaos.watched import Watched
from tests.support import specs
from tests.support.e2e import inputs
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api, Object, RefusedError
from tests.support.e2e.controls import ControlError, control, holds
from tests.support.e2e.tampering import IDLE
from zaum_api import contract

GROUP: Final = 18
REFUSED: Final = "a spec that is no policy"
FIELDS: Final = "each field misspelt, null, of another type"
BROKEN: Final = "an object that is none"
UNICODE: Final = "unicode where it may be"
DRAWN: Final = "specs drawn from the schema"
NAMES: Final = "names that collide"
HUGE: Final = "huge ones"
OFTEN: Final = "a hundred updates in a second"
DOOMED: Final = "a namespace deleted while policies are made"
CRD: Final = "the CRD removed under the operator"
SAMPLED: Final = 16
"""Every so many-th of the table in a sample."""
STEADY: Final = "steady"
"""A policy that runs beside, and stays as it is."""
READABLE: Final = "Jürgen Ægir 日本 🦔 \u202egnp.exe\u200b \x1b[31mred\r\nforged: yes"


def requests(api: Api, namespace: str, *, sampled: bool) -> Iterator[Deed]:
    """Give all that is refused at once."""
    every = SAMPLED if sampled else 1
    bad = [case for case in specs.BAD if case.kind == contract.KIND_POLICY]
    fields = [case for case in specs.EVERY_FIELD if case.kind == contract.KIND_POLICY and case.refused]
    good = specs.GOOD[0].manifest(namespace)
    for line, cases in ((REFUSED, bad), (FIELDS, fields)):
        for case in cases[::every]:
            yield Deed(
                GROUP, line, case.title, send(api, namespace, case.manifest(namespace)),
                send(api, namespace, named(good, case.name), dry=True), case.says, by="", statuses=SCHEMA,
            )  # fmt: skip
    for title, body in broken(namespace).items():
        yield Deed(
            GROUP, BROKEN, title, send(api, namespace, body), send(api, namespace, good, dry=True), "", by="",
            statuses=SCHEMA,
        )  # fmt: skip


def named(body: Object, name: str) -> Object:
    """Give the same under a name that may be: what is tried may be the name."""
    made = copy.deepcopy(body)
    if name.isascii() and name.replace("-", "").isalnum() and len(name) <= contract.POLICY_NAME_MAX:
        made["metadata"]["name"] = name.lower()
    return made


def send(api: Api, namespace: str, body: object, *, dry: bool = False) -> Callable[[], object]:
    """Give what posts a body, whatever it is, as strictly read as kubectl asks for."""
    query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
    target = f"/apis/{contract.API_VERSION}/namespaces/{namespace}/agentpolicies"
    return lambda: api.send("POST", target, body, query=query)


def broken(namespace: str) -> dict[str, object]:
    """Give what is no object, or one without what each has."""
    good = specs.GOOD[0].manifest(namespace)
    without = {key: {other: value for other, value in good.items() if other != key} for key in ("spec", "metadata")}
    deep: object = {}
    for _ in range(200):
        deep = {"a": deep}
    return {
        "no spec": without["spec"],
        "no metadata": without["metadata"],
        "a spec that is null": good | {"spec": None},
        "a spec that is empty": good | {"spec": {}},
        "a spec that is a list": good | {"spec": []},
        "a spec that is a text": good | {"spec": "Running"},
        "another kind": good | {"kind": "AgentPolicies"},
        "another version": good | {"apiVersion": "zaum.dev/v9"},
        "a list": [good],
        "a text": "policy",
        "nested two hundred deep": good | {"spec": good["spec"] | {"deep": deep}},
        "a name of other letters": good | {"metadata": {"name": "агент", "namespace": namespace}},
        "a name with a line break": good | {"metadata": {"name": "a\nb", "namespace": namespace}},
        "a name that looks like another": good | {"metadata": {"name": "\u0455teady", "namespace": namespace}},
        "another namespace": good | {"metadata": {"name": "elsewhere", "namespace": "zaum-system"}},
    }


def scenes(agents: Agents, *, sampled: bool) -> Iterator[Scene]:
    """Give what takes more than one request; what takes the CRD away comes last."""
    yield Scene(GROUP, HUGE, "1 MB", lambda: inputs.megabyte(agents))
    yield Scene(GROUP, UNICODE, "in environment and annotations", lambda: unicode(agents))
    if sampled:
        return
    yield Scene(GROUP, DRAWN, f"{inputs.SPECS} of them", lambda: inputs.drawn(agents))
    yield Scene(GROUP, NAMES, "the same in two namespaces", lambda: inputs.same_names(agents))
    yield Scene(GROUP, NAMES, "the same when joined", lambda: inputs.joined_names(agents))
    yield Scene(GROUP, NAMES, "the longest, longer, with a dot", lambda: inputs.long_names(agents))
    yield Scene(GROUP, OFTEN, f"{inputs.UPDATES}", lambda: inputs.hundred_updates(agents))
    yield Scene(GROUP, DOOMED, "five policies", lambda: inputs.doomed_namespace(agents))
    yield Scene(GROUP, CRD, "and brought back", lambda: inputs.crd_removed(agents))


def unicode(agents: Agents) -> str:
    """Say odd letters where a text may be: the agent has them as they are, and nobody else reads them otherwise."""
    body = agents.policy("letters", command=IDLE)
    body["spec"]["agent"].setdefault("env", []).append({"name": "ODD", "value": READABLE})
    body["metadata"]["annotations"] = {"example.com/note": READABLE}
    with inputs.unharmed(agents.api):
        try:
            agents.api.create("agentpolicies", body)
        except RefusedError as error:
            holds(error.status in SCHEMA and error.message, str(error))
            return f"refused with {error.status}"
        agents.ready("letters")
    pod = agents.running("letters")
    given = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    holds(given.get("ODD") == READABLE, f"the agent has {given.get('ODD')!r}")
    return "the agent has it as it was said"


def play(
    api: Api, image: str, say: Callable[[str], None], *, sampled: bool, only: str = ""
) -> tuple[list[Outcome], list[str]]:
    """Try all beside a policy that runs, and say what of it was ever not as before."""
    name = f"input-{uuid.uuid4().hex[:6]}"
    watched = Watched((name,))
    watched.start()
    try:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        api.apply("namespaces", body)
        agents = Agents(api, name, image=image, world_ca="")
        api.apply("agentpolicies", agents.policy(STEADY, command=IDLE))
        agents.ready(STEADY)
        before = running(agents)
        outcomes = deeds.tried(deeds.kept(requests(api, name, sampled=sampled), only))
        say(f"group {GROUP}: {len(outcomes)} requests")
        every = deeds.kept(scenes(agents, sampled=sampled), only)
        calm = [scene for scene in every if scene.line != CRD]
        outcomes += deeds.played(calm)
        alarms = yard.weaker(watched.changes(), name)
        try:
            alarms += [] if running(agents) == before else [f"{STEADY} has another pod: {running(agents)}"]
        except ControlError as error:
            alarms.append(str(error))
        # Who takes the CRD takes all policies, and with them their agents.
        outcomes += deeds.played(scene for scene in every if scene.line == CRD)
        say(f"group {GROUP}: {len(outcomes)} attempts")
        return outcomes, [f"group {GROUP}: {line}" for line in alarms]
    finally:
        watched.stop()
        api.delete("namespaces", "", name)


def running(agents: Agents) -> dict[str, str]:
    """Give the pods of the policy that stays: name → uid, and how often its containers began again."""
    pods = agents.api.items("pods", agents.namespace, labels=f"{contract.LABEL_POLICY}={STEADY}")
    control(pods, f"no pod of {STEADY}")
    return {
        pod["metadata"]["uid"]: str([state["restartCount"] for state in pod["status"].get("containerStatuses", ())])
        for pod in pods
    }
