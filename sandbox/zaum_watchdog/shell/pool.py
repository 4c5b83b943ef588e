"""Connections to upstreams that are kept for the next request, a few per route and not for long."""

import ssl
from collections.abc import Mapping

from zaum_watchdog.core import exchanges, routes
from zaum_watchdog.shell import upstream


class Pool:
    """The idle ones, newest last, and the TLS sessions by which new ones resume."""

    def __init__(self) -> None:
        self._idle: dict[str, list[upstream.Connection]] = {}
        self._sessions: dict[str, tuple[routes.Route, ssl.SSLSession]] = {}

    def take(self, route: routes.Route, now: int) -> upstream.Connection | None:
        """Give the one that was used last, because it is the least likely to be dead."""
        idle = self._idle.get(route.name, [])
        while idle:
            found = idle.pop()
            if _usable(found, now):
                return found
            found.close()
        return None

    def put_back(self, connection: upstream.Connection) -> None:
        """Keep one that was taken and not used."""
        self._idle[connection.route.name].append(connection)

    def give(self, connection: upstream.Connection, *, keep: int, now: int) -> None:
        """Keep one for `keep` nanoseconds, where there is room for it."""
        self.remember(connection)
        connection.user = None
        connection.until = now + keep
        idle = self._idle.setdefault(connection.route.name, [])
        if len(idle) >= exchanges.POOL_MOST or not _usable(connection, now):
            connection.close()
        else:
            idle.append(connection)

    def session(self, route: routes.Route) -> ssl.SSLSession | None:
        """Give what a new connection resumes: one to the same upstream, because whoever resumes is not verified."""
        found = self._sessions.get(route.name)
        return found[1] if found is not None and same(found[0], route) else None

    def remember(self, connection: upstream.Connection) -> None:
        """Keep what lets a later connection resume; once, because asking for it copies it, at 0.2 ms."""
        if connection.remembered:
            return
        session = connection.resumable
        if session is not None:
            connection.remembered = True
            self._sessions[connection.route.name] = (connection.route, session)

    def expire(self, now: int) -> None:
        """Close what was idle for too long, and forget what has ended by itself."""
        for name, idle in self._idle.items():
            self._idle[name] = [connection for connection in idle if _usable(connection, now)]
            for connection in idle:
                if not _usable(connection, now):
                    connection.close()

    def drop(self, name: str) -> None:
        """Close what is idle for one route, and forget its session."""
        self._sessions.pop(name, None)
        for connection in self._idle.pop(name, []):
            connection.close()

    def prune(self, known: Mapping[str, routes.Route]) -> None:
        """Drop what leads elsewhere than its route does now."""
        led = {name: [connection.route for connection in idle] for name, idle in self._idle.items()}
        for name, (route, _) in self._sessions.items():
            led.setdefault(name, []).append(route)
        for name, before in led.items():
            now = known.get(name)
            if now is None or not all(same(now, route) for route in before):
                self.drop(name)

    def clear(self) -> None:
        """Close and forget everything."""
        for name in [*self._idle, *self._sessions]:
            self.drop(name)


def same(one: routes.Route, other: routes.Route) -> bool:
    """Say whether a connection for the one can carry requests of the other."""
    return (one.name, one.authority, one.config.tls) == (other.name, other.authority, other.config.tls)


def _usable(connection: upstream.Connection, now: int) -> bool:
    return (
        connection.stage is upstream.Stage.READY
        and not connection.sealed
        and now < connection.until
        and now - connection.born < exchanges.POOL_AGE
    )
