"""Group 15: what people with every right in a namespace, or in the cluster, do by hand to what is ours."""

import copy
from collections.abc import Callable, Iterator
from typing import Final

from tests.battery.deeds import Deed, streamed
from tests.battery.yard import FOREIGN, Yard
from tests.support import edits
from tests.support.e2e import admission, entering
from tests.support.e2e.admission import DRY, OPERATOR_AS_ADMIN
from tests.support.e2e.api import Api, Object, url
from tests.support.e2e.tampering import POLICY
from zaum_api import contract

GROUP: Final = 15
EDITED: Final = "a child edited or deleted"
SWEPT: Final = "everything of a kind deleted at once"
WIDENED: Final = "a NetworkPolicy that widens"
LABELLED: Final = "another pod labelled as ours"
IDENTITY: Final = "a pod with an agent's identity"
TOKEN: Final = "a token of an agent's account"
ENTERED: Final = "a way into an agent's pod"
REPORTED: Final = "an agent's pod resized, moved, evicted, reported on"
WRITTEN: Final = "what only Kubernetes and the operator write"
MERGE: Final = "application/merge-patch+json"
ACCOUNT: Final = contract.child_name(POLICY)
MARK: Final = {contract.LABEL_AGENT: "true"}
BOTH: Final = MARK | {contract.LABEL_POLICY: POLICY}
OTHER_LABEL: Final = {"example.com/agent": "true"}


def deeds(yard: Yard) -> Iterator[Deed]:
    """Give all that takes one request."""
    for part in (edited, swept, widened, labelled, identity, tokens, entered, handled, written):
        yield from part(yard)


def edited(yard: Yard) -> Iterator[Deed]:
    """Make each edit of the table; the control is the same in the operator's name, without keeping it."""
    operator = yard.api.as_user(OPERATOR_AS_ADMIN)
    for edit in edits.TABLE:
        resource, where, name = edits.place(edit.child, yard.namespace, yard.prey.policy_of(edit))
        name = name or yard.pod
        people = {"author": yard.hand, **yard.people}
        for who, person in people.items():
            if who == "owner" and not where:
                continue  # has no business with what is in no namespace, by RBAC
            yield Deed(
                GROUP, EDITED, f"{edit.id}, by the {who}",
                change(person, resource, where, name, edit.patch),
                change(operator, resource, where, name, edit.patch, dry=True),
                "",  # several rules of ours may refuse it
            )  # fmt: skip


def change(
    who: Api, resource: str, where: str, name: str, patch: Object | None, *, dry: bool = False
) -> Callable[[], object]:
    """Give what merges a patch into an object, or deletes it where there is none."""
    method, query = "DELETE" if patch is None else "PATCH", DRY if dry else {}
    return lambda: who.send(method, url(resource, where, name), patch, query=query, content=MERGE)


def swept(yard: Yard) -> Iterator[Deed]:
    """Delete all of the policy's by its label; the control is the same by a label that nothing has."""

    def sweep(who: Api, kind: str, label: str) -> Callable[[], object]:
        return lambda: who.send("DELETE", url(kind, yard.namespace), query={"labelSelector": label})

    for who, person in yard.people.items():
        for kind in sorted(set(edits.RESOURCES.values()) - {"priorityclasses"}):
            yield Deed(
                GROUP, SWEPT, f"{kind}, by the {who}", sweep(person, kind, contract.LABEL_POLICY),
                sweep(person, kind, "app=nobodys"), "only the Zaum operator may delete",
            )  # fmt: skip


def widened(yard: Yard) -> Iterator[Deed]:
    """Open more than the operator opened; the control is the same where no agent runs."""
    for who, person in yard.people.items():
        for title, spec in admission.RULES.items():
            yield Deed(
                GROUP, WIDENED, f"{title}, by the {who}",
                made(person, "networkpolicies", admission.network_policy(yard.namespace, spec)),
                made(yard.api, "networkpolicies", admission.network_policy(yard.free.namespace, spec), dry=True),
                "add up",
            )  # fmt: skip
    harmless = {"podSelector": {}, "policyTypes": ["Egress"]}
    for namespace in (yard.namespace, yard.free.namespace):
        body = admission.body("networkpolicies", namespace, name="harmless") | {"spec": harmless}
        yard.api.apply("networkpolicies", body)
    opening: tuple[Object, ...] = ({"egress": [{}]}, {"ingress": [{}], "policyTypes": ["Ingress"]})
    for rules in opening:
        spec = {"spec": {**rules, "podSelector": {"matchLabels": MARK}}}
        yield Deed(
            GROUP, WIDENED, f"one that was harmless: {next(iter(rules))}",
            change(yard.owner, "networkpolicies", yard.namespace, "harmless", spec),
            change(yard.api, "networkpolicies", yard.free.namespace, "harmless", spec, dry=True),
            "add up",
        )  # fmt: skip


def made(who: Api, kind: str, body: Object, *, dry: bool = False) -> Callable[[], object]:
    """Give what creates an object."""
    return lambda: who.create(kind, body, dry_run=dry)


def a_pod(namespace: str, name: str = "pretender", **labels: str) -> Object:
    """Give a pod that no node takes, in its cage."""
    return admission.body("pods", namespace, name=name, labels={"app": "pretender", **labels})


def labelled(yard: Yard) -> Iterator[Deed]:
    """Say of a pod that it is ours: when it is made, afterwards, and by its status."""
    where = yard.namespace
    patches = {"agent": MARK, "agent and policy": BOTH, "quarantined": {contract.LABEL_QUARANTINED: "x"}}
    for who, person in yard.people.items():
        for title, labels in patches.items():
            yield Deed(
                GROUP, LABELLED, f"{title}, made so by the {who}", made(person, "pods", a_pod(where, **labels)),
                made(person, "pods", a_pod(where, **OTHER_LABEL), dry=True), "only the Zaum operator may create",
            )  # fmt: skip
            yield Deed(
                GROUP, LABELLED, f"{title}, afterwards by the {who}", marked(person, yard, labels),
                marked(person, yard, OTHER_LABEL, dry=True), "only the Zaum operator may update",
            )  # fmt: skip
        yield Deed(
            GROUP, LABELLED, f"by its status, by the {who}", marked(person, yard, BOTH, sub="status"),
            marked(person, yard, OTHER_LABEL, sub="status", dry=True), "report on agent pods",
        )  # fmt: skip
        for title, meta in {"name": {"name": "zaum-prey-0-00000"}, "prefix": {"generateName": "zaum-prey-0-"}}.items():
            body = admission.body("pods", where, **meta)
            own = admission.body("pods", where, **{key: text.replace("zaum-", "some-") for key, text in meta.items()})
            yield Deed(
                GROUP, LABELLED, f"by its {title}, by the {who}", made(person, "pods", body),
                made(person, "pods", own, dry=True), "only the Zaum operator may create",
            )  # fmt: skip


def marked(who: Api, yard: Yard, labels: Object, *, sub: str = "", dry: bool = False) -> Callable[[], object]:
    """Give what labels the foreign pod."""
    target, patch = url("pods", yard.namespace, FOREIGN, sub), {"metadata": {"labels": labels}}
    return lambda: who.send("PATCH", target, patch, query=DRY if dry else {}, content=MERGE)


def identity(yard: Yard) -> Iterator[Deed]:
    """Run a pod as an agent's: its account, its PriorityClass, its workspace."""
    borrowed: dict[str, tuple[Object, Object, str]] = {
        "ServiceAccount": (
            {"serviceAccountName": ACCOUNT}, {"serviceAccountName": "default"}, "ServiceAccounts of agents",
        ),
        "PriorityClass": (
            {"priorityClassName": contract.cluster_name(yard.namespace, POLICY)}, {}, "PriorityClasses of agents",
        ),
        "workspace": (
            {"volumes": [claim(contract.claim_name("keeper", 0))]}, {"volumes": [claim("another")]},
            "workspaces of agents",
        ),
    }  # fmt: skip
    for who, person in yard.people.items():
        for title, (spec, own, words) in borrowed.items():
            yield Deed(
                GROUP, IDENTITY, f"{title}, by the {who}", made(person, "pods", posing(yard, spec)),
                made(person, "pods", posing(yard, own), dry=True), words,
            )  # fmt: skip
        whole = posing(yard, {**borrowed["ServiceAccount"][0], **borrowed["PriorityClass"][0]})
        whole["metadata"]["labels"] |= BOTH
        yield Deed(
            GROUP, IDENTITY, f"all of it, by the {who}", made(person, "pods", whole),
            made(person, "pods", posing(yard, {}), dry=True), "",
        )  # fmt: skip


def claim(name: str) -> Object:
    """Give a volume that is a claim."""
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


def posing(yard: Yard, spec: Object) -> Object:
    """Give a pod with something of another's in its spec."""
    body = a_pod(yard.namespace)
    body["spec"] |= copy.deepcopy(spec)
    return body


def tokens(yard: Yard) -> Iterator[Deed]:
    """Ask for a token of the agent's account, and have one stored."""
    where = yard.namespace

    def ask(who: Api, account: str) -> Callable[[], object]:
        request = {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {"namespace": where},
            "spec": {"audiences": [contract.AUDIENCE_EGRESS], "expirationSeconds": 600},
        }  # fmt: skip
        return lambda: who.create("serviceaccounts", request, name=account, sub="token")

    def store(who: Api, account: str, *, dry: bool = False) -> Callable[[], object]:
        meta = {"name": "stored", "namespace": where, "annotations": {"kubernetes.io/service-account.name": account}}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/service-account-token"}
        return made(who, "secrets", body, dry=dry)

    people = {**yard.people, "operator": yard.api.as_user(OPERATOR_AS_ADMIN)}
    for who, person in people.items():
        yield Deed(GROUP, TOKEN, f"asked for by the {who}", ask(person, ACCOUNT), ask(person, "default"), "nodes only")
    for who, person in yard.people.items():
        yield Deed(
            GROUP, TOKEN, f"stored by the {who}", store(person, ACCOUNT), store(person, "default", dry=True),
            "never stored in a Secret",
        )  # fmt: skip


def entered(yard: Yard) -> Iterator[Deed]:
    """Go into the agent's pod, which runs; the control goes into the foreign one beside it, which runs too."""
    people = {**yard.people, "operator": yard.api.as_user(OPERATOR_AS_ADMIN)}

    def enter(who: Api, name: str, way: str, container: str) -> Callable[[], object]:
        query = {"container": container} if way in {"exec", "attach"} else {}
        return lambda: entering.enter(who, yard.namespace, name, way, **query)

    for who, person in people.items():
        for way in (*entering.WAYS, "proxy"):
            for container in ("agent", "watchdog") if way in {"exec", "attach"} else ("agent",):
                yield Deed(
                    GROUP, ENTERED, f"{way} {container}, by the {who}", enter(person, yard.pod, way, container),
                    streamed(enter(person, FOREIGN, way, "agent")), "denied to everybody",
                )  # fmt: skip
        yield Deed(
            GROUP, ENTERED, f"an ephemeral container, by the {who}", added(person, yard, yard.pod),
            added(person, yard, FOREIGN, dry=True), "ephemeral containers",
        )  # fmt: skip


def added(who: Api, yard: Yard, name: str, *, dry: bool = False) -> Callable[[], object]:
    """Give what adds an ephemeral container."""
    return lambda: entering.add(who, yard.namespace, name, entering.debugger(), dry=dry)


def handled(yard: Yard) -> Iterator[Deed]:
    """Do to the agent's pod what Kubernetes does to pods; the control does it to the foreign one."""
    small = {"name": contract.CONTAINER_AGENT, "resources": {"limits": {"cpu": "20m"}, "requests": {"cpu": "20m"}}}
    report = {"status": {"podIP": "192.0.2.1", "podIPs": [{"ip": "192.0.2.1"}]}}
    done = {"status": {"phase": "Succeeded"}}
    strategic = "application/strategic-merge-patch+json"
    asked: dict[str, tuple[str, str, Object, str, str]] = {
        "resized": ("PATCH", "resize", {"spec": {"containers": [small]}}, strategic, "not resized in place"),
        "another address": ("PATCH", "status", report, MERGE, "report on agent pods"),
        "said to be over": ("PATCH", "status", done, MERGE, "report on agent pods"),
    }
    for who, person in yard.people.items():
        for title, (method, sub, body, content, words) in asked.items():

            def send(name: str, query: Object, *, person: Api = person, method: str = method, sub: str = sub,
                     body: Object = body, content: str = content) -> object:  # fmt: skip
                target = url("pods", yard.namespace, name, sub)
                return person.send(method, target, body, query=query, content=content)

            yield Deed(
                GROUP, REPORTED, f"{title}, by the {who}", lambda send=send: send(yard.pod, {}),  # type: ignore[misc]
                lambda send=send: send(FOREIGN, DRY), words,  # type: ignore[misc]
            )  # fmt: skip
        yield Deed(
            GROUP, REPORTED, f"evicted without grace, by the {who}", evicted(person, yard, yard.pod),
            evicted(person, yard, FOREIGN, dry=True), "grace period above zero",
        )  # fmt: skip


def evicted(who: Api, yard: Yard, name: str, *, dry: bool = False) -> Callable[[], object]:
    """Give what evicts a pod at once."""
    body = {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": yard.namespace},
        "deleteOptions": {"gracePeriodSeconds": 0} | ({"dryRun": ["All"]} if dry else {}),
    }  # fmt: skip
    target = url("pods", yard.namespace, name, "eviction")
    return lambda: who.send("POST", target, body, query=DRY if dry else {})


def written(yard: Yard) -> Iterator[Deed]:
    """Write the policy's status and take the operator's Lease; the controls are the operator's own."""
    operator = yard.api.as_user(OPERATOR_AS_ADMIN)

    def status(who: Api, *, dry: bool = False) -> Callable[[], object]:
        target, patch = url("agentpolicies", yard.namespace, POLICY, "status"), {"status": {"observedGeneration": 1}}
        return lambda: who.send("PATCH", target, patch, query=DRY if dry else {}, content=MERGE)

    lease = {"spec": {"holderIdentity": "somebody"}}
    for who, person in yard.people.items():
        yield Deed(
            GROUP, WRITTEN, f"a policy's status, by the {who}", status(person), status(operator, dry=True),
            "only the Zaum operator writes the status",
        )  # fmt: skip
    for title, patch in {"taken": lease, "deleted": None}.items():
        yield Deed(
            GROUP, WRITTEN, f"the operator's Lease {title}, by the administrator",
            change(yard.api, "leases", "zaum-system", contract.LEASE_NAME, patch),
            change(operator, "leases", "zaum-system", contract.LEASE_NAME, patch, dry=True), "holds its Lease",
        )  # fmt: skip
