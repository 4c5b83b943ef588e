"""I15: who writes a policy may name only Secrets and ConfigMaps that this person may read."""

from typing import Any

import pytest

from tests.support.e2e import admission
from tests.support.e2e.admission import refused
from tests.support.e2e.api import Api, Object, User

GROUP = "rbac.authorization.k8s.io"


def author(api: Api, namespace: str, name: str, *rules: Object) -> Api:
    """Give the API as somebody who may write policies, and what `rules` add."""
    user = User(f"{name}-of-{namespace}", ("system:authenticated",))
    write = {"apiGroups": ["zaum.dev"], "resources": ["agentpolicies"], "verbs": ["get", "create", "update", "patch"]}
    meta = {"name": name, "namespace": namespace}
    api.apply("roles", {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": meta, "rules": [write, *rules]})
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user.name}],
    }
    api.apply("rolebindings", binding)
    made = api.as_user(user)
    admission.until_allowed(lambda: made.find("agentpolicies", namespace, "any"))
    return made


def reads(resource: str, *names: str) -> Object:
    rule: Object = {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}
    return rule | ({"resourceNames": list(names)} if names else {})


def secrets(*names: str) -> list[Object]:
    return [{"name": name} for name in names]


def files(*names: str) -> list[Object]:
    return [{"configMap": name, "mountPath": f"/etc/{name}"} for name in names]


def naming(namespace: str, **agent: Any) -> Object:
    return admission.policy(namespace, **agent)


CASES = {
    "a pull secret": ({"imagePullSecrets": secrets("known", "hidden")}, reads("secrets", "known"), "Secret hidden"),
    "a ConfigMap": ({"files": files("known", "hidden")}, reads("configmaps", "known"), "ConfigMap hidden"),
}


@pytest.mark.parametrize("case", CASES)
def test_i15_an_author_names_only_what_the_author_may_read(api: Api, namespace: str, case: str) -> None:
    agent, rule, named = CASES[case]
    resource = rule["resources"][0]
    some = author(api, namespace, "some", rule)
    every = author(api, namespace, "every", reads(resource))
    both = author(api, namespace, "both", reads(resource, "known", "hidden"))
    refused(lambda: some.create("agentpolicies", naming(namespace, **agent), dry_run=True), named, "may not read")
    for allowed in (every, both, api):
        allowed.create("agentpolicies", naming(namespace, **agent), dry_run=True)
    less = {key: value[:1] for key, value in agent.items()}
    some.create("agentpolicies", naming(namespace, **less), dry_run=True)


def test_i15_the_last_of_as_many_names_as_there_may_be_is_checked(api: Api, namespace: str) -> None:
    known = [f"c{index}" for index in range(15)]
    pulled = [f"s{index}" for index in range(7)]
    most = author(api, namespace, "most", reads("configmaps", *known), reads("secrets", *pulled, "s7"))
    agent = {"files": files(*known, "hidden"), "imagePullSecrets": secrets(*pulled, "s7")}
    refused(lambda: most.create("agentpolicies", naming(namespace, **agent), dry_run=True), "ConfigMap hidden")
    allowed = author(api, namespace, "all", reads("configmaps", *known, "hidden"), reads("secrets", *pulled, "s7"))
    allowed.create("agentpolicies", naming(namespace, **agent), dry_run=True)


def test_i15_every_change_of_the_spec_is_by_somebody_who_may_read_all_that_it_names(api: Api, namespace: str) -> None:
    agent = {"imagePullSecrets": secrets("hidden")}
    api.apply("agentpolicies", naming(namespace, **agent))
    plain = author(api, namespace, "plain")
    trusted = author(api, namespace, "trusted", reads("secrets", "hidden"))
    running = {"spec": {"limits": {"connections": 7}}}
    refused(lambda: plain.merge("agentpolicies", namespace, "stopped", running), "Secret hidden")
    plain.merge("agentpolicies", namespace, "stopped", {"metadata": {"labels": {"team": "research"}}})
    trusted.merge("agentpolicies", namespace, "stopped", running)
    dropped = {"spec": {"agent": {"imagePullSecrets": None}}}
    plain.merge("agentpolicies", namespace, "stopped", dropped)


def test_i15_an_author_names_only_credentials_that_the_author_may_read(api: Api, namespace: str) -> None:
    def routed(*names: str) -> Object:
        made = naming(namespace)
        credentials = [{"secretKeyRef": {"name": name, "key": "key"}} for name in names]
        made["spec"]["egress"] = {
            "routes": [
                {"name": f"r{place}", "upstream": "https://api.example.com", "credential": credential}
                for place, credential in enumerate(credentials)
            ]
        }
        return made

    some = author(api, namespace, "some", reads("secrets", "known"))
    both = author(api, namespace, "both", reads("secrets", "known", "hidden"))
    every = author(api, namespace, "every", reads("secrets"))
    names = ["known"] * 7 + ["hidden"]
    refused(lambda: some.create("agentpolicies", routed(*names), dry_run=True), "Secret hidden", "may not read")
    some.create("agentpolicies", routed(*names[:7]), dry_run=True)
    both.create("agentpolicies", routed(*names), dry_run=True)
    # More than are asked for one by one are for who may read them all.
    many = [f"s{place}" for place in range(32)]
    refused(lambda: both.create("agentpolicies", routed(*many), dry_run=True), "more than 8 Secrets")
    every.create("agentpolicies", routed(*many), dry_run=True)


def test_a_policy_that_names_nothing_needs_no_right_to_read(api: Api, namespace: str) -> None:
    author(api, namespace, "plain").create("agentpolicies", naming(namespace), dry_run=True)
