"""Redact what passes a route: the redactors of one exchange, with the names and the prefilter that all share."""

import os
from typing import Final

from zaum_api import documents
from zaum_watchdog.core import headers, records, responses, routes
from zaum_watchdog.core.redaction import redactor, vault
from zaum_watchdog.shell import prefilter

_TYPE: Final = frozenset({b"content-type"})


class Redaction:
    """The names of this pod, and the prefilter. To be made when a route redacts, and not before."""

    def __init__(self) -> None:
        self._names = vault.Vault(os.urandom(32))
        self._prefilter = prefilter.load()

    def of(self, route: routes.Route) -> "Redacted | None":
        """Give what redacts an exchange on a route, None where its bodies pass as they are."""
        wanted = route.config.redact
        if wanted is None or not wanted.active:
            return None
        return Redacted(wanted, self)

    def redactor(self, plan: redactor.Plan, form: redactor.Format) -> redactor.Redactor:
        """Make one for a body."""
        return redactor.Redactor(plan, form, self._names, self._prefilter)


class Redacted:
    """One exchange's two bodies."""

    __slots__ = ("_answer", "_request", "_shared", "_wanted")

    def __init__(self, wanted: documents.Redaction, shared: Redaction) -> None:
        self._wanted = wanted
        self._shared = shared
        self._request: redactor.Redactor | None = None
        self._answer: redactor.Redactor | None = None

    @property
    def reads_requests(self) -> bool:
        """Say whether anything is done to requests."""
        return self._wanted.request.active or self._wanted.restore

    def request(self, found: headers.Headers) -> "Filter | None":
        """Give what the request's body goes through, by its headers."""
        plan = redactor.request(self._wanted)
        if plan.idle:
            return None
        self._request = self._shared.redactor(plan, _form(found))
        return Filter(self._request)

    def answer(self, answer: responses.Answer) -> "Filter | None":
        """Give what the answer's body goes through."""
        plan = redactor.response(self._wanted)
        # Without anything to do to requests no name ever stood for a value of the agent's.
        if not plan.actions and not self._wanted.request.active:
            return None
        self._answer = self._shared.redactor(plan, _form(answer.headers))
        return Filter(self._answer)

    def record(self) -> str:
        """Say how many values were found, for the record."""
        return records.redacted(_counts(self._request), _counts(self._answer))


class Filter:
    """A redactor, as `relaying` uses it."""

    __slots__ = ("_by",)

    def __init__(self, by: redactor.Redactor) -> None:
        self._by = by

    @property
    def behind(self) -> bool:
        """Say whether `feed(b"")` has something to do."""
        return self._by.behind

    @property
    def denied(self) -> str:
        """Say what is in it that may not pass."""
        kind = self._by.findings.denied
        return f"it holds a value of the class {kind.value}, which the route denies" if kind is not None else ""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece."""
        return self._by.feed(piece)

    def end(self) -> bytes:
        """Give all that is left."""
        return self._by.end()


def _form(found: headers.Headers) -> redactor.Format:
    return redactor.Format.of(b",".join(headers.gathered(found, _TYPE).get(b"content-type", [])))


def _counts(by: redactor.Redactor | None) -> dict[str, int]:
    return {kind.value: count for kind, count in by.findings.found.items()} if by is not None else {}
