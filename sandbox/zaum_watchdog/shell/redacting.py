"""Redact what passes a route: the redactors of one exchange, with the names and the prefilter that all share."""

import os
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import headers, records, refusals, responses, routes
from zaum_watchdog.core.redaction import redactor, searching, vault
from zaum_watchdog.shell import prefilter

_TYPE: Final = frozenset({b"content-type"})
_CODING: Final = frozenset({b"content-encoding"})


class Redaction:
    """The names of this pod, and the prefilter from when a route redacts for the first time."""

    def __init__(self) -> None:
        self._names = vault.Vault(os.urandom(32))
        self._prefilter: searching.Prefilter | None = None

    def prepare(self) -> None:
        """Load what takes long."""
        if self._prefilter is None:
            self._prefilter = prefilter.load()

    def of(self, route: routes.Route) -> "Redacted | None":
        """Give what redacts an exchange on a route, None where its bodies pass as they are."""
        wanted = route.config.redact
        if wanted is None or not wanted.active:
            return None
        self.prepare()
        return Redacted(wanted, self)

    def redactor(self, plan: redactor.Plan, form: redactor.Format) -> redactor.Redactor:
        """Make one for a body."""
        assert self._prefilter is not None
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

    def request(self, found: headers.Headers) -> redactor.Redactor | None:
        """Give what the request's body goes through, by its headers."""
        plan = redactor.request(self._wanted)
        if not plan.idle:
            self._request = self._shared.redactor(plan, _form(found))
        return self._request

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
        return denial(self._by)

    def feed(self, piece: bytes) -> bytes:
        """Take a piece."""
        return self._by.feed(piece)

    def end(self) -> bytes:
        """Give all that is left."""
        return self._by.end()


def coded(asked: routes.Asked) -> refusals.Refusal | None:
    """Refuse a body that is compressed, so that nothing can be looked for in it."""
    found = headers.gathered(asked.request.headers, _CODING).get(b"content-encoding", [])
    if all(value.lower() == b"identity" for value in found):
        return None
    at = asked.route.authority
    text = "the body is compressed, so it cannot be searched for what the route redacts"
    return refusals.Refusal(contract.Rule.REQUEST_TYPE, text, "no Content-Encoding", at.host.name, at.port)


def denial(by: redactor.Redactor) -> str:
    """Say what is in a body for which nothing of it may pass; empty while nothing is."""
    kind = by.findings.denied
    return f"it holds a value of the class {kind.value}, which the route denies" if kind is not None else ""


def _form(found: headers.Headers) -> redactor.Format:
    return redactor.Format.of(b",".join(headers.gathered(found, _TYPE).get(b"content-type", [])))


def _counts(by: redactor.Redactor | None) -> dict[str, int]:
    return {kind.value: count for kind, count in by.findings.found.items()} if by is not None else {}
