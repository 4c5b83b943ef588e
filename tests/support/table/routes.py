"""HTTP APIs that the watchdog terminates, and what else egress says: mode, proof."""

from typing import Any, Final

from tests.support.table.case import Case, Refusal, agent, spec

_S, _R = Refusal.SCHEMA, Refusal.RULE
_URL: Final = "https://api.example.com/v1"
_KEY: Final = {"secretKeyRef": {"name": "model", "key": "api-key"}}
_SERVICE: Final = {"name": "search", "namespace": "tools", "port": 8080}


def route(name: str = "model", **fields: Any) -> dict[str, Any]:
    """Give one route; to an API outside unless `fields` name a Service."""
    where = {} if "upstream" in fields or fields.get("serviceRef") else {"upstream": _URL}
    return {"name": name, **where, **fields}


def routes(*entries: dict[str, Any]) -> dict[str, Any]:
    """Give a spec with these routes."""
    return spec(egress={"routes": list(entries)})


def _upstream(url: Any) -> dict[str, Any]:
    return routes(route(upstream=url))


def _allow(path: Any, *methods: Any) -> dict[str, Any]:
    return routes(route(allow=[{"methods": list(methods) or ["GET"], "path": path}]))


def _credential(**fields: Any) -> dict[str, Any]:
    return routes(route(credential={**_KEY, **fields}))


def _key(**fields: Any) -> dict[str, Any]:
    return routes(route(credential={"secretKeyRef": {**_KEY["secretKeyRef"], **fields}}))


def _service(**fields: Any) -> dict[str, Any]:
    return routes(route(serviceRef={**_SERVICE, **fields}))


def _env(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {**agent(env=[{"name": name, "value": "x"}]), "egress": {"routes": list(entries)}}


GOOD: Final = (
    Case("no routes", routes()),
    Case("routes of null", spec(egress={"routes": None})),
    Case("a route that lets nothing through", routes(route())),
    Case("a route's port", _upstream("https://api.example.com:8443")),
    Case("the largest port", _upstream("https://api.example.com:65535/")),
    Case("a route's port beside the gateway's own", _upstream("https://api.example.com:15454/x:53/y")),
    Case("a path with a slash at its end", _upstream("https://api.example.com/a/b.c~d/@1:2/")),
    Case("an international API", _upstream("https://xn--bcher-kva.example/v1")),
    Case(
        "a model's API",
        routes(
            route(
                "open-ai",
                api="OpenAI",
                credential={**_KEY, "header": "Authorization", "prefix": "Bearer "},
                allow=[{"methods": ["POST"], "path": "/chat/completions"}, {"methods": ["GET"], "path": "/models/*"}],
            ),
            route("claude", api="Anthropic", credential={**_KEY, "header": "x-api-key", "prefix": ""}),
        ),
    ),
    Case("every method", _allow("/", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    Case("every path", _allow("/*")),
    Case("a path below a folder", _allow("/files/*")),
    Case("a path that ends in a slash", _allow("/files/")),
    Case("a path of odd characters", _allow("/a!$&'()+,;=:@-._~/...")),
    Case("allow of nothing", routes(route(allow=[]))),
    Case("optional parts of null", routes(route(serviceRef=None, api=None, credential=None, allow=None, models=None))),
    Case("a cookie", _credential(header="Cookie", prefix="session=")),
    Case("a route to a Service", _service()),
    Case("a Service named kubernetes elsewhere", _service(name="kubernetes", namespace="tools")),
    Case("another Service of default", _service(namespace="default")),
    Case("32 routes", routes(*(route(f"r{index}") for index in range(32)))),
    Case("a name of one letter", routes(route("a"))),
    Case("a name of 32 letters", routes(route("a" * 32))),
    Case("a base URL without a route", agent(env=[{"name": "OPENAI_BASE_URL", "value": "https://llm.example.com"}])),
    Case("a provider's variable beside its route", _env("OPENAI_BASE_URL", route("model", api="OpenAI"))),
    Case("a provider's key beside its route", _env("OPENAI_API_KEY", route("openai", api="OpenAI"))),
    Case("proof", spec(egress={"requireProof": True})),
    Case("no proof", spec(egress={"requireProof": False})),
    Case("proof of null", spec(egress={"requireProof": None})),
    Case("mode Report", spec(mode="Report")),
)

BAD: Final = (
    Case("a route to a resolver", _upstream("https://api.example.com:53"), _R, "a port of DNS or of the gateway"),
    Case("a route to the gateway", _upstream("https://api.example.com:15445/v1"), _R, "a port of DNS or of"),
    Case("a route without a name", spec(egress={"routes": [{"upstream": _URL}]}), _S),
    Case("a route to nowhere", spec(egress={"routes": [{"name": "a"}]}), _R, "state either upstream or serviceRef"),
    Case("a route of nulls", routes(route(upstream=None)), _R, "state either upstream or serviceRef"),
    Case("a route to two places", routes(route(upstream=_URL, serviceRef=_SERVICE)), _R, "state either upstream or"),
    Case("routes as object", spec(egress={"routes": {"model": {"upstream": _URL}}}), _S),
    Case("a route as text", spec(egress={"routes": [_URL]}), _S),
    Case("a misspelt upstream", routes({"name": "a", "upstreams": _URL}), _S),
    Case("two routes of one name", routes(route(), route(upstream="https://other.example.com")), _S),
    Case("33 routes", routes(*(route(f"r{index}") for index in range(33))), _S),
    Case("a route's name in upper case", routes(route("Model")), _S),
    Case("a route's name with an underscore", routes(route("a_b")), _S),
    Case("a route's name with a slash", routes(route("a/b")), _S),
    Case("a route's name that begins with a digit", routes(route("1a")), _S),
    Case("a route's name that ends in a hyphen", routes(route("a-")), _S),
    Case("a route's empty name", routes(route("")), _S),
    Case("a route's name in Unicode", routes(route("\N{LATIN SMALL LETTER A WITH DIAERESIS}")), _S),
    Case("a route's name of 33 letters", routes(route("a" * 33)), _S),
    Case("an empty upstream", _upstream(""), _S),
    Case("plain HTTP", _upstream("http://api.example.com"), _S, "upstream must begin with https://"),
    Case("a scheme in upper case", _upstream("HTTPS://api.example.com"), _S, "upstream must begin with https://"),
    Case("no scheme", _upstream("api.example.com"), _S, "upstream must begin with https://"),
    Case("a user", _upstream("https://me@api.example.com"), _S, "no user, no query"),
    Case("a user and a password", _upstream("https://me:key@api.example.com/v1"), _S, "no user, no query"),
    Case("another host as user", _upstream("https://api.example.com@evil.example.net"), _S, "no user, no query"),
    Case("a query", _upstream("https://api.example.com/?key=1"), _S, "no user, no query"),
    Case("a fragment", _upstream("https://api.example.com/#a"), _S, "no user, no query"),
    Case("a backslash", _upstream("https://api.example.com\\@evil.example.net"), _S),
    Case("no host in the URL", _upstream("https://"), _S),
    Case("a path alone", _upstream("https:///v1"), _S),
    Case("a host in upper case in the URL", _upstream("https://API.example.com"), _S),
    Case("a host in Unicode in the URL", _upstream("https://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"), _S),
    Case("a single label in the URL", _upstream("https://localhost"), _S),
    Case("a dot at the host's end", _upstream("https://api.example.com./v1"), _S),
    Case("a star in the URL", _upstream("https://*.example.com"), _S),
    Case("an address in the URL", _upstream("https://203.0.113.10/v1"), _R, "upstream must not be an IP address"),
    Case("the metadata service", _upstream("https://169.254.169.254"), _R, "upstream must not be an IP address"),
    Case("a hexadecimal address", _upstream("https://0x7f.0x1:443"), _R, "upstream must not be an IP address"),
    Case("an IPv6 address in the URL", _upstream("https://[2001:db8::1]/"), _S, "upstream must not be an IP address"),
    Case("a Service in the URL", _upstream("https://web.tools.svc"), _R, "upstream must lie outside the cluster"),
    Case("the API server in the URL", _upstream("https://kubernetes.default.svc.cluster.local:443/api"), _R,
         "upstream must lie outside the cluster"),
    Case("the cage's host", _upstream("https://cage.invalid/"), _R, "upstream must lie outside the cluster"),
    Case("a long label in the URL", _upstream(f"https://{'a' * 64}.example.com"), _R, "upstream: a label of a DNS"),
    Case("a long name in the URL", _upstream(f"https://{'a.' * 124}example.com"), _R, "upstream: a label of a DNS"),
    Case("a URL that is too long", _upstream(f"https://api.example.com/{'a' * 500}"), _S),
    Case("port 0 in the URL", _upstream("https://api.example.com:0"), _S),
    Case("port 65536 in the URL", _upstream("https://api.example.com:65536"), _S),
    Case("an octal port", _upstream("https://api.example.com:0443"), _S),
    Case("an empty port", _upstream("https://api.example.com:/v1"), _S),
    Case("dots in the URL", _upstream("https://api.example.com/v1/../admin"), _R, "the path must be normalised"),
    Case("a dot in the URL", _upstream("https://api.example.com/."), _R, "the path must be normalised"),
    Case("two slashes in the URL", _upstream("https://api.example.com//v1"), _S, "the path must be normalised"),
    Case("an escape in the URL", _upstream("https://api.example.com/v1%2f"), _S, "the path must be normalised"),
    Case("a line break in the URL", _upstream("https://api.example.com\n"), _S),
    Case("a space in the URL", _upstream("https://api.example.com/a b"), _S),
    Case("upstream as list", _upstream([_URL]), _S),
    Case("an unknown API", routes(route(api="openai")), _S),
    Case("a credential without a Secret", routes(route(credential={"header": "X-Key"})), _S),
    Case("an empty credential", routes(route(credential={})), _S),
    Case("a credential in the policy", routes(route(credential="secret")), _S),
    Case("a Secret without a key", routes(route(credential={"secretKeyRef": {"name": "model"}})), _S),
    Case("a key without a Secret", routes(route(credential={"secretKeyRef": {"key": "a"}})), _S),
    Case("a Secret of another namespace", _key(namespace="other"), _S),
    Case("a Secret of ours", _key(name="zaum-ca"), _R, "a Secret that starts with zaum-"),
    Case("a Secret's name with a path", _key(name="../a"), _S),
    Case("a key with a path", _key(key="../a"), _S),
    Case("an empty key", _key(key=""), _S),
    Case("the header Host", _credential(header="Host"), _R, "header must not be one that frames"),
    Case("the header Content-Length", _credential(header="content-length"), _R, "header must not be one that frames"),
    Case("the header Transfer-Encoding", _credential(header="TRANSFER-ENCODING"), _R, "header must not be one that"),
    Case("the header Connection", _credential(header="Connection"), _R, "header must not be one that frames"),
    Case("a proxy's header", _credential(header="Proxy-Authorization"), _R, "header must not be one that frames"),
    Case("a header of ours", _credential(header="X-Zaum-Rule"), _R, "header must not be one that frames"),
    Case("an origin's header", _credential(header="X-Forwarded-For"), _R, "header must not be one that frames"),
    Case("two headers in one", _credential(header="X-Key: a\r\nHost"), _S),
    Case("an empty header", _credential(header=""), _S),
    Case("a header of 65 characters", _credential(header="a" * 65), _S),
    Case("a prefix with a line break", _credential(prefix="Bearer\r\nX: "), _S),
    Case("a prefix in Unicode", _credential(prefix="\N{SNOWMAN}"), _S),
    Case("a prefix of 33 characters", _credential(prefix="a" * 33), _S),
    Case("allow without methods", routes(route(allow=[{"path": "/"}])), _S),
    Case("allow without a path", routes(route(allow=[{"methods": ["GET"]}])), _S),
    Case("no methods", routes(route(allow=[{"methods": [], "path": "/"}])), _S),
    Case("an unknown method", _allow("/", "CONNECT"), _S),
    Case("a method in lower case", _allow("/", "get"), _S),
    Case("a method twice", _allow("/", "GET", "GET"), _S),
    Case("a method of null", _allow("/", None), _S),
    Case("a path without a slash", _allow("chat"), _S),
    Case("an empty path", _allow(""), _S),
    Case("dots in a path", _allow("/a/../b"), _R, "allow: path must be normalised"),
    Case("an escape in a path", _allow("/a%2fb"), _S, "allow: path must be normalised"),
    Case("two slashes in a path", _allow("/a//b"), _S, "allow: path must be normalised"),
    Case("a star inside a path", _allow("/a/*/b"), _S, "allow: path may have one star only"),
    Case("half a star in a path", _allow("/a*"), _S, "allow: path may have one star only"),
    Case("a placeholder in a path", _allow("/a/{id}"), _S),
    Case("a query in a path", _allow("/a?b"), _S),
    Case("a path in Unicode", _allow("/\N{SNOWMAN}"), _S),
    Case("a path that is too long", _allow("/" + "a" * 256), _S),
    Case("33 paths", routes(route(allow=[{"methods": ["GET"], "path": "/"}] * 33)), _S),
    Case("a Service without a port", routes(route(serviceRef={"name": "a", "namespace": "b"})), _S),
    Case("a Service without a namespace", routes(route(serviceRef={"name": "a", "port": 1})), _S),
    Case("a Service without a name", routes(route(serviceRef={"namespace": "b", "port": 1})), _S),
    Case("a Service's port by name", _service(port="http"), _S),
    Case("a Service's port 0", _service(port=0), _S),
    Case("a Service of kube-system", _service(name="kube-dns", namespace="kube-system"), _R, "serviceRef: kube-system"),
    Case("the API server as Service", _service(name="kubernetes", namespace="default"), _R, "serviceRef: kube-system"),
    Case("a Service's name with a dot", _service(name="a.b"), _S),
    Case("a Service's name of 64 letters", _service(name="a" * 64), _S),
    Case("a Service's path", _service(path="/"), _S),
    Case("a route's variable", _env("MODEL_BASE_URL", route()), _R, "env: <NAME>_BASE_URL of a route"),
    Case("a hyphen in a route's variable", _env("A_B_BASE_URL", route("a"), route("a-b")), _R, "env: <NAME>_BASE_URL"),
    Case("proof as text", spec(egress={"requireProof": "true"}), _S),
    Case("proof as number", spec(egress={"requireProof": 1}), _S),
)  # fmt: skip
