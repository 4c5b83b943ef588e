"""All routes of this pod: their listener's connections, the ways to their upstreams, their keys, and the books."""

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zaum_api import contract, documents
from zaum_watchdog.core import (
    answers,
    gateway_answer,
    policy,
    records,
    refusals,
    requests,
)  # fmt: skip
from zaum_watchdog.core import routes as decisions
from zaum_watchdog.core.exchanges import SECOND
from zaum_watchdog.shell import (
    clock,
    credentials,
    exchange,
    hop,
    parties,
    pool,
    room,
    route_side,
    trust,
    upstream,
    watch,
)  # fmt: skip

if TYPE_CHECKING:
    from zaum_watchdog.core.metering import terms
    from zaum_watchdog.shell import calls, redacting

PARTS: Final = (
    "core.metering.walking",
    "core.metering.judging",
    "core.metering.openai_shapes",
    "core.metering.anthropic_shapes",
    "core.metering.plain",
    "core.metering.asked",
    "core.metering.usage",
    "core.metering.answered",
    "core.metering.terms",
    "shell.metered",
    "shell.held",
    "shell.straight",
    "shell.calls",
)
"""What `calls` is made of, each after what it needs: none of it takes longer to load than others may wait."""


class Routes:
    """What connections of the agent to the routes share."""

    def __init__(self, shared: watch.Watch, way: hop.Hop, directory: Path) -> None:
        self._watch = shared
        self._hop = way
        self._pool = pool.Pool()
        self._trust = trust.Trust(shared.loop)
        self._credentials = credentials.Credentials(directory)
        self._sides: set[route_side.RouteSide] = set()
        self._redaction: redacting.Redaction | None = None
        self._calls: calls.Calls | None = None
        self._untrusted = ""
        self.limits = shared.limits
        self.room = room.Room()
        shared.followers.append(self)
        self.adopt(shared.policy)

    def accept(self) -> route_side.RouteSide:
        """Serve one more connection."""
        return route_side.RouteSide(self)

    @property
    def live(self) -> int:
        """Count the requests that go on."""
        return sum(side.asked is not None for side in self._sides)

    @property
    def missing(self) -> tuple[str, ...]:
        """Give the routes whose credential cannot be used, sorted."""
        return tuple(sorted(self._credentials.unusable))

    # What the supervisor and the watch call.

    async def prepare(self, coming: policy.Policy) -> None:
        """Load what a document needs before it is adopted, a part at a time."""
        for part in PARTS if self._calls is None and _reads(coming) else ():
            importlib.import_module(f"zaum_watchdog.{part}")
            await asyncio.sleep(0)

    def adopt(self, changed: policy.Policy) -> None:
        """Follow a document: what it forbids is cut, what it changes is dialled anew."""
        known = changed.routed
        if self._calls is None and _reads(changed):
            from zaum_watchdog.shell import calls  # noqa: PLC0415

            self._calls = calls.Calls()
        if self._calls is not None:
            self._calls.adopt(changed.config)
        if any(_redacts(route) for route in known.values()):
            self._redact()
        for side in [*self._sides]:
            if side.asked is not None and not decisions.stands(known, side.asked):
                side.cut(contract.Rule.CONFIG_REMOVED)
        self._pool.prune(known)
        if any(route.config.tls for route in known.values()) and self._trust.want(changed.config.upstream_ca_pem):
            self._pool.clear()
        self.poll()

    def _redact(self) -> None:
        """Load what redacts, for the first route that does: it is heavy."""
        if self._redaction is None:
            from zaum_watchdog.shell import redacting  # noqa: PLC0415

            self._redaction = redacting.Redaction()

    def poll(self) -> None:
        """Read the credentials that were rotated."""
        for name in self._credentials.poll(self._watch.policy.routed):
            self._watch.event("credential", route=name, problem=self._credentials.unusable.get(name, ""))
        if self._trust.problem != self._untrusted:
            self._untrusted = self._trust.problem
            self._watch.event("degraded", problem=self._untrusted)

    def expire(self, now: int) -> None:
        """End what is overdue."""
        for side in [*self._sides]:
            side.expire(now)
        self._pool.expire(now)

    def cut(self, rule: contract.Rule | None) -> None:
        """End everything at once."""
        for side in [*self._sides]:
            side.cut(rule)
        self._pool.clear()

    def shed(self, count: int) -> None:
        """End the newest requests: more go on than this pod has connections."""
        going = [side for side in self._sides if side.asked is not None]
        for side in sorted(going, key=lambda side: side.began)[-count:]:
            side.cut(contract.Rule.CONNECTIONS)

    # What a connection asks.

    def joined(self, side: route_side.RouteSide) -> refusals.Refusal | None:
        """Count a connection, and refuse one too many."""
        self._sides.add(side)
        most = self._watch.policy.sockets
        if len(self._sides) <= most:
            return None
        return refusals.Refusal(contract.Rule.CONNECTIONS, f"more than {most} sockets", retry_after=SECOND)

    def left(self, side: route_side.RouteSide) -> None:
        """Forget a connection."""
        self._sides.discard(side)

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""
        self._watch.loop.call_soon(then)

    def decided(self, side: route_side.RouteSide, request: requests.Request) -> parties.Going | refusals.Refusal:
        """Decide a request by the policy in force."""
        shared = self._watch
        asked = policy.admit_routed(
            shared.policy,
            request,
            unusable=self._credentials.unusable,
            meter=shared.meter,
            tunnels=shared.tunnels,
            latched=shared.latched,
            now=clock.monotonic(),
            unproven=shared.unproven,
        )
        if isinstance(asked, refusals.Refusal):
            return asked
        return self._made(side, asked)

    def _made(self, side: route_side.RouteSide, asked: decisions.Asked) -> parties.Going | refusals.Refusal:
        credential = self._credentials.of(asked.route)
        if self._calls is None:
            return exchange.Exchange(side, self, asked, credential)
        return self._calls.made(side, self, asked, credential, self._redacted(asked.route))

    def _redacted(self, route: decisions.Route) -> "redacting.Redacted | None":
        return self._redaction.of(route) if self._redaction is not None else None

    def terms(self, route: decisions.Route) -> "terms.Terms | None":
        """Give what is metered on a route by now."""
        return self._calls.terms(route.name) if self._calls is not None else None

    def lines(self, route: decisions.Route) -> list[bytes]:
        """Write the headers that tell how the limits of a route stand; none where it has no terms."""
        if self._calls is None or self._calls.terms(route.name) is None:
            return []
        return self.limits.lines(route.authority.host.name, route=route.name)

    # Connections to upstreams.

    def kept(self, route: decisions.Route) -> upstream.Connection | None:
        """Give an idle one."""
        return self._pool.take(route, clock.monotonic())

    def put_back(self, connection: upstream.Connection) -> None:
        """Take one back that was given by `kept`, and not used."""
        self._pool.put_back(connection)

    def keep(self, connection: upstream.Connection, *, nanoseconds: int) -> None:
        """Take one back, unless its route or whom it trusts is another one by now."""
        now = self._watch.policy.routed.get(connection.route.name)
        trusted = connection.context is None or connection.context is self._trust.context
        if trusted and now is not None and pool.same(now, connection.route):
            self._pool.give(connection, keep=nanoseconds, now=clock.monotonic())
        else:
            connection.close()

    def dial(self, route: decisions.Route, user: parties.User, *, secure: bool) -> None:
        """Begin a connection."""
        if not self._hop.usable:
            user.failed(contract.Rule.TOKEN_MISSING, "the pod's token for the gateway is not there", again=False)
        elif route.config.tls:
            self._trust.when_ready(lambda: self._dial(route, user, secure=secure))
        else:
            self._dial(route, user, secure=True)

    def _dial(self, route: decisions.Route, user: parties.User, *, secure: bool) -> None:
        if user.done:
            return
        context = self._trust.context if route.config.tls else None
        resumed = self._pool.session(route) if context is not None else None
        connection = upstream.Connection(self._hop, route, user, context, resumed)
        user.adopt(connection)
        connection.dial(secure=secure)

    # The books.

    def begun(self) -> None:
        """Count a request that goes on."""
        self._watch.tunnels += 1

    def not_begun(self) -> None:
        """Take back a request that was counted; it is counted again when it goes on."""
        self._watch.tunnels -= 1

    def allowed(self, asked: decisions.Asked) -> None:
        """Record that a request leaves, also by the mode Report alone."""
        if asked.would_deny is None:
            self._watch.count(contract.Rule.ALLOWED)
        else:
            self._watch.count_would(asked.would_deny)
        self._write(asked.would_deny or contract.Rule.ALLOWED, asked, status=0, would_deny=asked.would_deny is not None)

    def ended(self, ended: parties.Exchange, rule: contract.Rule | None, status: int) -> None:
        """Give back the place among the connections, and record how a request ended that has left."""
        if not ended.begun:
            return
        shared = self._watch
        shared.tunnels -= 1
        if rule is None and not ended.recorded:  # The agent hung up before anything had left.
            self.allowed(ended.asked)
        elif not ended.recorded:
            return
        elif rule is not None:
            shared.ended(rule)
        shared.seen.asked(ended.digest, method=ended.asked.request.method)
        if rule is None and status:
            shared.seen.answered(status)
        shared.bytes_out += ended.up
        shared.bytes_in += ended.down
        asked = ended.asked
        line = shared.writer.request(
            clock.wall(),
            route=asked.route.name,
            method=asked.request.method,
            path=asked.path,
            status=status,
            up=ended.up,
            down=ended.down,
            millis=(clock.monotonic() - ended.started) // 1_000_000,
            rule=rule,
            more=ended.more,
        )
        shared.out.write(line)

    def refusal(
        self, refused: refusals.Refusal, named: tuple[str, str, str], *, text: bool, bare: bool, recorded: bool
    ) -> bytes:
        """Write the answer of a refusal, and its record where the request has none yet."""
        shared = self._watch
        if not recorded:
            shared.count(refused.rule)
            route, method, path = named
            line = shared.writer.routed(
                clock.wall(), refused.rule, refused.host, refused.port, status=answers.status_of(refused.rule),
                by=records.BY_WATCHDOG, route=route, method=method, path=path,
            )  # fmt: skip
            shared.out.write(line)
        config = shared.policy.config
        # A route's name, or the path of a request on none.
        at = shared.policy.routed.get(named[0] or named[2][1:].partition("/")[0])
        return answers.refusal(
            refused, namespace=config.namespace, name=config.policy, text=text, bare=bare,
            api=at.config.api if at is not None else "",
            lines=[line.decode("ascii") for line in self.lines(at)] if at is not None else (),
        )  # fmt: skip

    def relay(self, answer: gateway_answer.Declined, asked: decisions.Asked, *, recorded: bool) -> bytes:
        """Write the answer of a refusal by the gateway, and its record where the request has none yet."""
        if not recorded:
            self._watch.count(answer.rule)
            self._write(answer.rule, asked, status=answer.status, by=records.BY_GATEWAY)
        bare = asked.request.method == "HEAD"
        if answer.body:
            return answers.write(answer.status, answer.rule, answer.body, retry_after=answer.retry_after, bare=bare)
        at = asked.route.authority
        refused = refusals.Refusal(
            answer.rule, "refused by the gateway", "", at.host.name, at.port, answer.retry_after * SECOND
        )
        config = self._watch.policy.config
        return answers.refusal(
            refused, namespace=config.namespace, name=config.policy, text=asked.request.text, bare=bare
        )

    def _write(
        self,
        rule: contract.Rule,
        asked: decisions.Asked,
        *,
        status: int,
        by: str = records.BY_WATCHDOG,
        would_deny: bool = False,
    ) -> None:
        shared, at = self._watch, asked.route.authority
        line = shared.writer.routed(
            clock.wall(), rule, at.host.name, at.port, status=status, by=by, route=asked.route.name,
            method=asked.request.method, path=asked.path, would_deny=would_deny,
        )  # fmt: skip
        shared.out.write(line)


def _redacts(route: decisions.Route) -> bool:
    return route.config.redact is not None and route.config.redact.active


def _reads(wanted: policy.Policy) -> bool:
    """Say whether a policy has routes whose requests may have to be read before they leave."""
    limited = bool(wanted.config.limits.meters)
    return any(
        _redacts(route) or (route.config.api in documents.PRICED_APIS and (limited or route.config.models))
        for route in wanted.routed.values()
    )
