"""Answer Envoy's ext_authz questions over gRPC. The one importer of grpc and of Envoy's messages.

Whatever goes wrong in here ends as a gRPC error, which Envoy answers with a refusal (`failure_mode_allow: false`).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.type.v3 import http_status_pb2
from google.rpc import code_pb2, status_pb2

from zaum_api import contract, documents
from zaum_egress import signed_head
from zaum_gateway.core import credentials, decisions
from zaum_gateway.shell import certificates, metrics

log = logging.getLogger("zaum.gateway.decisions")

Message = Any
"""A protobuf message or a gRPC object; the packages that make them carry no types."""

HEADER_TOKEN: Final = "proxy-authorization"  # noqa: S105 - a header's name
HEADER_POLICY: Final = "x-zaum-policy"
HEADER_POD: Final = "x-zaum-pod"
HEADER_WOULD_DENY: Final = "x-zaum-would-deny"
"""For the access log alone."""
OVERWRITE: Final[Message] = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
ABSENT: Final[Message] = base_pb2.HeaderValueOption.ADD_IF_ABSENT
_NAMES: Final = "x509_subject_alternative_name"
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1024),
    ("grpc.max_concurrent_streams", 4096),
    ("grpc.so_reuseport", 0),
    # Envoy pings every few seconds to notice a dead peer; grpc would take that for abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.keepalive_permit_without_calls", 1),
)

STATUS: Final = {
    contract.Rule.TOKEN_MISSING: http_status_pb2.ProxyAuthenticationRequired,
    contract.Rule.REQUEST_MALFORMED: http_status_pb2.BadRequest,
    contract.Rule.REQUEST_TOO_LARGE: http_status_pb2.PayloadTooLarge,
}
"""By rule; all else is a 403."""
CHALLENGE: Final = {"proxy-authenticate": f'Bearer realm="{contract.AUDIENCE_EGRESS}"'}

Decide = Callable[[decisions.Request, credentials.Presented], Awaitable[decisions.Outcome]]


class Authorization(external_auth_pb2_grpc.AuthorizationServicer):  # type: ignore[misc]
    """Ask `decide` (request facts, what the caller presents), translate its answer, count and log it."""

    def __init__(self, decide: Decide, *, figures: metrics.Metrics, clock: Callable[[], float]) -> None:
        self._decide = decide
        self._figures = figures
        self._clock = clock

    async def Check(self, request: Message, context: Message) -> Message:  # noqa: N802 - the service's own name
        """Answer one question."""
        started = self._clock()
        if contract.GATEWAY_CLIENT_TLS_NAME.encode() not in context.auth_context().get(_NAMES, ()):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the gateway may ask")
        facts = _facts(request.attributes)
        headers = request.attributes.request.http.headers
        presented = credentials.Presented(
            authorization=headers.get(HEADER_TOKEN),
            signature_input=headers.get(signed_head.HEADER_INPUT),
            signature=headers.get(signed_head.HEADER_SIGNATURE),
        )
        outcome = await self._decide(facts, presented)
        decision = outcome.decision
        self._figures.decided(decision.rule, self._clock() - started)
        self._note(facts, outcome)
        if outcome.session is not None:
            return _give(outcome.session)
        if not decision.allowed:
            return _refuse(decision)
        if facts.for_report:
            self._figures.reported()
            return _taken()
        return _allow(decision)

    def _note(self, facts: decisions.Request, outcome: decisions.Outcome) -> None:
        """Log and count what the metrics of decisions do not say."""
        decision = outcome.decision
        # Every pod reports every few seconds: what is taken is no news.
        level = logging.DEBUG if facts.for_report and decision.allowed else logging.INFO
        log.log(level, "decision", extra={"fields": _fields(facts, decision)})
        if decision.would_deny is not None:
            self._figures.passed(decision.would_deny)
        for contact in outcome.touched:
            self._figures.touched(contact.rule)
            where = {"namespace": contact.namespace, "pod": contact.pod, "uid": contact.uid}
            fields = {**where, "rule": contact.rule.value, "source": facts.source, "listener": facts.listener.value}
            log.warning("contact", extra={"fields": fields})


def _facts(attributes: Message) -> decisions.Request:
    """Read what Envoy saw. A listener that names itself is one of ours: an older Envoy has but the one with TLS."""
    http = attributes.request.http
    return decisions.Request(
        method=http.method,
        authority=http.host,
        source=attributes.source.address.socket_address.address,
        path=http.path,
        listener=contract.Listener(attributes.context_extensions.get(contract.LISTENER_EXTENSION, "tls")),
        body=http.raw_body or http.body.encode(),
    )


async def serve(service: Authorization, *, address: str, tls_dir: Path) -> tuple[Message, int]:
    """Listen with mTLS; give the server and its port. Each handshake takes the certificates that stand there then."""
    files = certificates.Files(tls_dir)
    credentials = grpc.dynamic_ssl_server_credentials(
        _configuration(files.first()), lambda: _renewed(files), require_client_authentication=True
    )
    server = grpc.aio.server(options=_OPTIONS)
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(service, server)
    port = server.add_secure_port(address, credentials)
    await server.start()
    return server, port


def _renewed(files: certificates.Files) -> Message | None:
    """Give what changed, None for "as before"."""
    fresh = files.fresh()
    return None if fresh is None else _configuration(fresh)


def _configuration(material: certificates.Material) -> Message:
    pair = (material.key, material.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=material.authorities)


def _allow(decision: decisions.Decision) -> Message:
    """Let the request pass under the names that were proven, whatever the client said."""
    identity = {HEADER_POLICY: f"{decision.namespace}/{decision.policy}", HEADER_POD: decision.uid}
    if decision.would_deny is not None:
        identity[HEADER_WOULD_DENY] = decision.would_deny.value
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.OK),
        ok_response=external_auth_pb2.OkHttpResponse(
            headers=_headers(identity),
            headers_to_remove=[HEADER_TOKEN, signed_head.HEADER_INPUT, signed_head.HEADER_SIGNATURE],
            # Only where nothing else has decided since: a host that cannot be reached has a rule of its own.
            response_headers_to_add=_headers({contract.HEADER_RULE: decision.rule.value}, action=ABSENT),
        ),
    )


def _give(session: documents.Session) -> Message:
    """Answer with a session. To Envoy everything but "go on" is a refusal, whatever its status."""
    headers = {
        contract.HEADER_RULE: contract.Rule.ALLOWED.value,
        "content-type": "application/json",
        "cache-control": "no-store",
    }
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.PERMISSION_DENIED),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=http_status_pb2.OK),
            headers=_headers(headers),
            body=session.dump().decode("ascii"),
        ),
    )


def _taken() -> Message:
    """Answer a report."""
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.PERMISSION_DENIED),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=http_status_pb2.NoContent),
            headers=_headers({contract.HEADER_RULE: contract.Rule.ALLOWED.value}),
        ),
    )


def _refuse(decision: decisions.Decision) -> Message:
    policy = f"{decision.namespace}/{decision.policy}" if decision.policy else ""
    body = documents.Denial(
        rule=decision.rule.value, message=decision.message, allowed_by=decision.allowed_by, policy=policy
    ).dump()
    headers = {contract.HEADER_RULE: decision.rule.value, "content-type": "application/json"}
    if decision.rule is contract.Rule.TOKEN_MISSING:
        headers |= CHALLENGE
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.PERMISSION_DENIED),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=STATUS.get(decision.rule, http_status_pb2.Forbidden)),
            headers=_headers(headers),
            body=body.decode(),
        ),
    )


def _headers(values: Mapping[str, str], *, action: Message = OVERWRITE) -> list[Message]:
    return [
        base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=key, value=value), append_action=action)
        for key, value in values.items()
    ]


def _fields(facts: decisions.Request, decision: decisions.Decision) -> dict[str, str]:
    return {
        "rule": decision.rule.value,
        "method": facts.method[:16],
        "listener": facts.listener.value,
        "authority": facts.authority[:300],
        "source": facts.source,
        "namespace": decision.namespace,
        "policy": decision.policy,
        "pod": decision.pod,
        "uid": decision.uid,
        "message": decision.message,
        **({"wouldDeny": decision.would_deny.value} if decision.would_deny is not None else {}),
    }
