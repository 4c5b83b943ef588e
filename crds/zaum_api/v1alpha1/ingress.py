"""`spec.ingress`: who can reach the agent."""

from typing import Annotated, ClassVar

import pydantic

from zaum_api.v1alpha1 import labels, lists, model, scalars


class PeerSelector(model.Model):
    """Selects by labels; all of them must be there. An empty one, which would select all, is refused."""

    match_labels: Annotated[labels.Map, *labels.label_map("from: matchLabels", least=1, most=8)]
    """Labels with their values, at least one."""


class Peer(model.Model):
    """Pods that may connect. Both selectors: these pods in these namespaces."""

    namespace_selector: PeerSelector | None = None
    """Namespaces of the pods. Default the policy's own namespace."""
    pod_selector: PeerSelector | None = None
    """The pods. Default every pod of the namespaces that are named."""

    rules: ClassVar = (model.some("from: a peer", "namespaceSelector", "podSelector"),)


class Ingress(model.Model):
    """One port of the agent that some pods may reach, through the Service zaum-<policy>."""

    port: Annotated[int, *scalars.agent_port("ingress: port")]
    """TCP port at which the agent listens."""
    name: Annotated[str, scalars.text(most=15, pattern="^[a-z]([a-z0-9]|-[a-z0-9])*$")] | None = None
    """Name of the Service's port. Default port-<port>."""
    from_: Annotated[list[Peer], lists.bounded(least=1, most=16)] = pydantic.Field(alias="from")
    """Who may connect, at least one peer. There is no way to say everybody."""

    rules: ClassVar = (
        model.Rule(
            cel="!has(self.name) || !self.name.startsWith('port-')",
            message="ingress: a name that starts with port- is given to ports without a name: choose another",
            holds=lambda self: self.name is None or not self.name.startswith("port-"),
        ),
    )


def _names_differ(entries: list[Ingress]) -> bool:
    names = [entry.name for entry in entries if entry.name is not None]
    return len(set(names)) == len(names)


NAMES_DIFFER = model.Rule(
    cel="self.all(a, !has(a.name) || self.exists_one(b, has(b.name) && b.name == a.name))",
    message="ingress: two entries have the same name: keep one",
    holds=_names_differ,
)
Entries = Annotated[list[Ingress], *lists.keyed("ingress", "port", most=16), *scalars.ruled(NAMES_DIFFER)]
