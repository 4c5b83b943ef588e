"""See what of the product is there: routes, the signed hop. What is not makes its lines pending, and they say so."""

import secrets
from typing import Final

from tests.battery.groups.http import ROUTE
from tests.battery.lines import Needs
from tests.battery.pods import SPEC, Pods
from tests.cluster import addresses
from tests.support.e2e.api import Object, RefusedError
from zaum_api import contract

SECRET: Final = "battery-credential"
SECRET_VALUE: Final = secrets.token_urlsafe(32)
"""New in each run."""
ASKING: Final = f"GET /{ROUTE}/v1/items HTTP/1.1\r\nHost: 127.0.0.1:15002\r\nConnection: close\r\n\r\n"


def of(pods: Pods, gateway: Object) -> frozenset[Needs]:
    """Say what is there: by an agent's own look: a port that it may reach, a route that is known."""
    found = {Needs.NOTHING}
    body = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": SECRET_VALUE}}
    pods.api.apply("secrets", body | {"metadata": {"name": SECRET, "namespace": pods.agents.namespace}})
    looks = [
        {"id": "routes", "kind": "head", "to": "routes", "parts": [ASKING]},
        {"id": "signed", "kind": "dial", "address": gateway["clusterIP"], "port": contract.GATEWAY_SIGNED_PORT},
    ]
    try:
        pod = pods.agent("looking", looks, **spec(frozenset({Needs.ROUTES})))
    except RefusedError:  # an API without routes
        pod = pods.agent("looking", looks)
    seen = pods.findings(pods.agents, pod)
    if seen["routes"].get("status") and seen["routes"].get("rule") != contract.Rule.ROUTE_UNKNOWN.value:
        found.add(Needs.ROUTES)
    if seen["signed"]["word"] == "open":
        found.add(Needs.SIGNED_HOP)
    pods.api.delete("agentpolicies", pods.agents.namespace, "looking")
    return frozenset(found)


def spec(present: frozenset[Needs]) -> Object:
    """Give what a policy has beside the battery's own: a route, where there are routes."""
    if Needs.ROUTES not in present:
        return {}
    route = {
        "name": ROUTE,
        "upstream": f"https://{addresses.API_NAME}",
        "credential": {"secretKeyRef": {"name": SECRET, "key": "key"}},
        "allow": [{"methods": ["GET", "POST"], "path": "/v1/*"}],
    }
    return {"egress": SPEC["egress"] | {"routes": [route]}}
