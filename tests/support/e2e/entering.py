"""Ask for a way into a pod, as each of the API's ways is asked for."""

from typing import Any, Final

from tests.support.e2e import admission
from tests.support.e2e.api import Api, Object, url

WAYS: Final = {"exec": "Exec", "attach": "Attach", "portforward": "PortForward"}
"""Way → what a ceiling calls it."""


def enter(who: Api, namespace: str, name: str, way: str, **query: str) -> object:
    """Ask for a way in; what is refused is refused before the connection is upgraded."""
    asked = {"command": "id", "stdout": "true"} if way == "exec" else {"stdout": "true"} if way == "attach" else {}
    return who.send("GET" if way == "proxy" else "POST", url("pods", namespace, name, way), query=asked | query)


def debugger(**security: Any) -> Object:
    """Give an ephemeral container that is as caged as the agent, but for what is said."""
    made: Object = {**admission.CONTAINER, "name": "debugger"}
    made["securityContext"] = admission.CONTAINER["securityContext"] | security
    del made["resources"]
    return made


def add(who: Api, namespace: str, name: str, container: Object, *, dry: bool = True) -> object:
    """Add an ephemeral container, by default without keeping it."""
    target = url("pods", namespace, name, "ephemeralcontainers")
    patch = {"spec": {"ephemeralContainers": [container]}}
    query = admission.DRY if dry else {}
    return who.send("PATCH", target, patch, query=query, content="application/strategic-merge-patch+json")
