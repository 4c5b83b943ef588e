"""Who makes, releases and closes Incidents."""

import uuid
from typing import Final

from tests.support import specs
from tests.support.e2e.admission import until_allowed
from tests.support.e2e.api import Api, Object, User, condition, service_account
from zaum_api import contract, incidents

LEDGER: Final = service_account("zaum-system", "zaum-ledger")
GROUP: Final = "rbac.authorization.k8s.io"
CLOSED_SECONDS: Final = 30.0


def incident(namespace: str, spec: Object, name: str = "") -> Object:
    """Give an Incident with this spec."""
    case = specs.Case("sent", spec, name=name or f"i{uuid.uuid4().hex[:8]}", kind=contract.KIND_INCIDENT)
    return case.manifest(namespace)


def asked(who: User | str, **fields: object) -> Object:
    """Give the spec of one that a person asks for."""
    return specs.asked(requestedBy=who if isinstance(who, str) else who.name, **fields)


def person(api: Api, namespace: str, *verbs: str) -> tuple[User, Api]:
    """Give somebody with these rights on the namespace's Incidents and no other."""
    user = User(f"person-{uuid.uuid4().hex[:5]}", ("system:authenticated",))
    rule = {"apiGroups": [contract.GROUP], "resources": ["incidents"], "verbs": list(verbs)}
    meta = {"name": user.name, "namespace": namespace}
    api.apply("roles", {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": user.name},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user.name}],
    }
    api.apply("rolebindings", binding)
    known = api.as_user(user)
    until_allowed(lambda: known.items("incidents", namespace))
    return user, known


def release(who: Api, namespace: str, name: str, by: str, reason: str = "mended") -> None:
    """Release one, in the name of `by`."""
    who.merge("incidents", namespace, name, {"spec": {"release": {"by": by, "reason": reason}}})


def let_go(api: Api, namespace: str, name: str) -> None:
    """Release one, unless somebody has, and wait until the operator has closed it."""
    if "release" not in api.get("incidents", namespace, name)["spec"]:
        user, responding = person(api, namespace, "list", "get", "patch", incidents.RELEASE_VERB)
        release(responding, namespace, name, user.name)
    await_closed(api, namespace, name)


def await_closed(api: Api, namespace: str, name: str) -> Object:
    """Wait until the operator has closed one. Nobody else says so: the operator would say what it sees instead."""
    closed = incidents.Condition.CLOSED.value
    return api.until(
        "incidents", namespace, name, lambda seen: condition(seen, closed).get("status") == "True",
        seconds=CLOSED_SECONDS, what="the operator closes it",
    )  # fmt: skip
