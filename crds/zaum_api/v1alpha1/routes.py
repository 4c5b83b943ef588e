"""`spec.egress.routes`: HTTP APIs that the watchdog terminates. Typed, and refused until a version acts on it."""

from typing import Annotated, Literal

from zaum_api.v1alpha1 import lists, model, scalars

_Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_Path = Annotated[str, scalars.text(most=1024, pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*$")]


class ServiceRef(model.Model):
    """A Service of the cluster, where a ceiling allows it."""

    name: scalars.ObjectName
    """Name of the Service."""
    namespace: scalars.ObjectName
    """Its namespace."""
    port: scalars.Port
    """Its port."""


class SecretKey(model.Model):
    """One key of a Secret of the policy's namespace, which the policy's author must be allowed to read."""

    name: scalars.ObjectName
    """Name of the Secret."""
    key: Annotated[str, scalars.text(most=253, pattern="^[-._a-zA-Z0-9]+$")]
    """Its key."""


class Credential(model.Model):
    """What the watchdog puts into each request; the agent never holds it."""

    secret_key_ref: SecretKey
    header: Annotated[str, scalars.text(most=64, pattern="^[A-Za-z0-9-]+$")] | None = None
    """The header that carries it. Default Authorization."""
    prefix: Annotated[str, scalars.text(least=0, most=32, pattern="^[ -~]*$")] | None = None
    """What stands before the key in the header. Default "Bearer "."""


class Allow(model.Model):
    """Requests that are let through."""

    methods: Annotated[list[_Method], *lists.unique("methods", least=1, most=7)]
    """HTTP methods."""
    path: _Path
    """Path below the upstream's."""


class Route(model.Model):
    """One HTTP API, reached at a base URL on the pod's own loopback."""

    name: Annotated[str, scalars.text(most=32, pattern="^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    """Names the route and the variable <NAME>_BASE_URL."""
    upstream: Annotated[str, scalars.text(most=512, pattern="^https://[a-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$")] | None = (
        None
    )
    """Base URL of the API."""
    service_ref: ServiceRef | None = None
    """The API as a Service of the cluster, in place of upstream."""
    api: Literal["OpenAI", "Anthropic", "HTTP"] | None = None
    """How requests are metered. Default HTTP."""
    credential: Credential | None = None
    allow: Annotated[list[Allow], lists.bounded(most=32)] | None = None
    """What is let through. Default nothing."""
    models: Annotated[
        list[Annotated[str, scalars.text(most=128, pattern="^[!-~]+$")]], *lists.unique("models", most=64)
    ] | None = None  # fmt: skip
    """Models that may be asked for. Default any."""
