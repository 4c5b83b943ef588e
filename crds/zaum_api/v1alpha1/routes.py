"""`spec.egress.routes`: HTTP APIs that the watchdog terminates."""

import re
from typing import Annotated, ClassVar, Final, Literal

from zaum_api import contract, documents
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import lists, model, names, redaction, scalars
from zaum_api.v1alpha1 import prices as prices_api

_Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SEGMENT: Final = "/[A-Za-z0-9._~!$&'()+,;=:@-]+"
"""One part of a path, without escapes: of those, what two parsers read alike is not worth its risk here."""
_PORT: Final = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
UPSTREAM_PATTERN: Final = rf"^https://{names.NAME}(:{_PORT})?({_SEGMENT})*/?$"
PATH_PATTERN: Final = f"^({_SEGMENT})*(/[*]?)?$"
_UNTIDY: Final = "//|%|/[.][.]?(/|$)"
_REFUSED_HEADERS: Final = (
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "forwarded",
    "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "via",
)  # fmt: skip
"""What frames a request, or is the watchdog's own to say; and all that begin with one of the prefixes."""
_REFUSED_PREFIXES: Final = ("proxy-", "x-forwarded-", "x-zaum-")
NEVER: Final = ("kube-system",)
"""Namespaces whose Services no agent reaches, whatever a ceiling says."""
API_SERVER: Final = ("default", "kubernetes")


def host_of(upstream: str) -> str:
    """Give the host of an upstream's URL, of whatever form it is."""
    return upstream.removeprefix("https://").partition("/")[0].partition(":")[0]


def is_never(namespace: str, name: str | None) -> bool:
    """Say whether it is a Service that no agent may reach: one of the cluster's own parts, or the API server."""
    return namespace in NEVER or (namespace, name) == API_SERVER


_IN_HOST: Final = "^https://([^/:]*[.])?"
_OWN_PORT: Final = f"^https://[^/]*:({'|'.join(map(str, sorted(contract.GATEWAY_ONLY_PORTS)))})(/|$)"
_AFTER_HOST: Final = "(:[0-9]*)?(/|$)"
_UPSTREAM_RULES: Final = (
    model.Rule(
        cel="self.startsWith('https://')",
        message="upstream must begin with https://: plain HTTP is for serviceRef alone",
        holds=lambda url: url.startswith("https://"),
    ),
    model.Rule(
        cel="!self.matches('^https://[^/]*@') && !self.matches('[?#]')",
        message="upstream must have no user, no query and no fragment: a key belongs into credential",
        holds=lambda url: not re.search("^https://[^/]*@", url) and not set(url) & set("?#"),
    ),
    model.Rule(
        cel=f"self.size() < 9 || !self.substring(8).matches('{_UNTIDY}')",
        message="upstream: the path must be normalised: write it without //, . and .. as parts, and percent-escapes",
        holds=lambda url: not re.search(_UNTIDY, url[8:]),
    ),
    model.Rule(
        cel=f"!self.matches('{_IN_HOST}{names.NUMBER_CEL}{_AFTER_HOST}') && !self.matches('^https://[[]')",
        message="upstream must not be an IP address: egress is decided by name",
        holds=lambda url: not names.is_address(host_of(url)),
    ),
    model.Rule(
        cel=f"!self.matches('{_IN_HOST}{names.INSIDE_CEL}{_AFTER_HOST}')",
        message="upstream must lie outside the cluster: a Service is named by serviceRef",
        holds=lambda url: not names.is_inside(host_of(url)),
    ),
    model.Rule(
        cel=f"!self.matches('{_OWN_PORT}')",
        message="upstream must not name a port of DNS or of the gateway itself: those lead to the cluster's own parts",
        holds=lambda url: not re.search(_OWN_PORT, url),
    ),
    model.Rule(
        cel="!self.matches('^https://[^/:]*[^./:]{64}') && !self.matches('^https://[^/:]{254}')",
        message="upstream: a label of a DNS name has at most 63 characters, a name at most 253",
        holds=lambda url: (
            len(host_of(url)) <= names.NAME_MAX and all(len(label) <= 63 for label in names.labels(host_of(url)))
        ),
    ),
)
_PATH_RULES: Final = (
    model.Rule(
        cel=f"!self.matches('{_UNTIDY}')",
        message="allow: path must be normalised: write it without //, . and .. as parts, and percent-escapes",
        holds=lambda path: not re.search(_UNTIDY, path),
    ),
    model.Rule(
        cel="!self.matches('[*].') && !self.matches('[^/][*]')",
        message="allow: path may have one star only, as the whole last part: write /files/*",
        holds=lambda path: not re.search("[*].", path, re.DOTALL) and not re.search("[^/][*]", path),
    ),
)
_HEADERS_CEL: Final = ", ".join(f"'{name}'" for name in _REFUSED_HEADERS)
_HEADER_RULE: Final = model.Rule(
    cel=f"!(self.lowerAscii() in [{_HEADERS_CEL}]) && !self.lowerAscii().matches('^({'|'.join(_REFUSED_PREFIXES)})')",
    message=(
        "credential: header must not be one that frames a request, or that proxies write (Host, Content-*,"
        " Transfer-Encoding, Connection, Proxy-*, X-Forwarded-* and such): name the one that the API reads"
    ),
    holds=lambda name: name.lower() not in _REFUSED_HEADERS and not name.lower().startswith(_REFUSED_PREFIXES),
)


class ServiceRef(model.Model):
    """A Service of the cluster, spoken to by plain HTTP from the gateway. A ceiling must grant it."""

    name: scalars.Label
    """Name of the Service. It has a selector and an address of its own."""
    namespace: scalars.Label
    """Its namespace. Those of the cluster's own parts and of Zaum are refused."""
    port: scalars.Port
    """Its port, TCP."""

    rules: ClassVar = (
        model.Rule(
            cel=(
                f"!(self.namespace in [{', '.join(repr(item) for item in NEVER)}])"
                f" && !(self.namespace == '{API_SERVER[0]}' && self.name == '{API_SERVER[1]}')"
            ),
            message="serviceRef: kube-system and the API server are out of every agent's reach: name another Service",
            holds=lambda self: not is_never(self.namespace, self.name),
        ),
    )


class SecretKey(model.Model):
    """One key of a Secret of the policy's namespace, which the policy's author must be allowed to read."""

    name: scalars.ObjectName
    """Name of the Secret."""
    key: Annotated[str, scalars.text(most=253, pattern="^[-._a-zA-Z0-9]+$")]
    """Its key."""

    rules: ClassVar = (
        model.Rule(
            cel="!self.name.startsWith('zaum-')",
            message="credential: a Secret that starts with zaum- belongs to Zaum: use one of your own",
            holds=lambda self: not self.name.startswith(contract.NAME_PREFIX),
        ),
    )


class Credential(model.Model):
    """What the watchdog puts into each request; the agent never holds it. A changed Secret is taken within a minute."""

    secret_key_ref: SecretKey
    header: Annotated[str, scalars.text(most=64, pattern="^[A-Za-z0-9-]+$"), *scalars.ruled(_HEADER_RULE)] | None = None
    """The header that carries it. Default Authorization, and x-api-key for the api Anthropic."""
    prefix: Annotated[str, scalars.text(least=0, most=32, pattern="^[ -~]*$")] | None = None
    """What stands before the key in the header. Default "Bearer " in Authorization, and nothing in any other."""


class Allow(model.Model):
    """Requests that are let through."""

    methods: Annotated[list[_Method], *lists.unique("methods", least=1, most=7)]
    """HTTP methods."""
    path: Annotated[str, scalars.text(most=256, pattern=PATH_PATTERN), *scalars.ruled(*_PATH_RULES)]
    """Path below the upstream's, exact; or ending in /* everything below it."""


_METERED_CEL: Final = "(has(self.api) && self.api != 'HTTP')"


def _is_metered(route: "Route") -> bool:
    return route.api in documents.PRICED_APIS


class Route(model.Model):
    """One HTTP API, reached at a base URL on the pod's own loopback."""

    name: Annotated[str, scalars.text(most=32, pattern="^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    """Names the route and the agent's variable <NAME>_BASE_URL, in upper case and with _ for -."""
    upstream: (
        Annotated[str, scalars.text(most=512, pattern=UPSTREAM_PATTERN), *scalars.ruled(*_UPSTREAM_RULES)] | None
    ) = None
    """Base URL of the API: https, a name in canonical form, a port if it is not 443, and a path if there is one."""
    service_ref: ServiceRef | None = None
    """The API as a Service of the cluster, in place of upstream."""
    api: Literal["OpenAI", "Anthropic", "HTTP"] | None = None
    """Whose API it is. OpenAI and Anthropic set <API>_BASE_URL and <API>_API_KEY, a placeholder, for the first such
    route where spec.agent.env does not. Default HTTP."""
    credential: Credential | None = None
    allow: Annotated[list[Allow], lists.bounded(most=32)] | None = None
    """What is let through. Default nothing."""
    models: Annotated[list[prices_api.ModelName], *lists.unique("models", least=1, most=64)] | None = None
    """Models that may be asked for, exactly as requests name them; for the apis OpenAI and Anthropic. Default any."""
    prices: prices_api.Prices | None = None
    """What models cost; they go before those of the installation. Where a ceiling caps the cost, the dearer of both
    counts."""
    limits: limits_api.RouteLimits | None = None
    redact: redaction.Redact | None = None

    rules: ClassVar = (
        model.Rule(
            cel="has(self.upstream) != has(self.serviceRef)",
            message="routes: state either upstream or serviceRef",
            holds=lambda self: (self.upstream is None) != (self.service_ref is None),
        ),
        model.Rule(
            cel=f"{_METERED_CEL} || (!has(self.models) && !has(self.prices))",
            message=(
                "routes: models and prices are for the apis OpenAI and Anthropic, whose requests say which model they"
                " ask for: state api, or remove them"
            ),
            holds=lambda self: _is_metered(self) or (self.models is None and self.prices is None),
        ),
        model.Rule(
            cel=f"{_METERED_CEL} || !has(self.limits) || (!has(self.limits.tokens) && !has(self.limits.cost))",
            message=(
                "routes: limits.tokens and limits.cost are for the apis OpenAI and Anthropic, whose answers say what"
                " was used: state api, or remove them"
            ),
            holds=lambda self: (
                _is_metered(self) or self.limits is None or (self.limits.tokens is None and self.limits.cost is None)
            ),
        ),
    )
