"""What is answered to whom: syncs and orders to watchdogs, the usage to its readers; orders are the operator's."""

import logging
from collections.abc import Callable, Collection
from typing import Final

from zaum_api import contract, documents, reading
from zaum_api.documents import Refusal
from zaum_ledger.core import pace
from zaum_ledger.shell import http, ledger, metrics, orders, tokens
from zaum_ledger.shell.denied import Denied

log = logging.getLogger("zaum.ledger.routes")

_LOUD: Final = frozenset({Refusal.TOKEN, Refusal.POD, Refusal.MALFORMED})


class Routes:
    """The ledger's port. `readers`: the subjects whose tokens may read the usage; `operator`: who may give orders."""

    def __init__(
        self,
        *,
        books: ledger.Ledger,
        judge: tokens.Tokens,
        board: orders.Board,
        figures: metrics.Metrics,
        readers: Collection[str],
        operator: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._books, self._judge, self._board, self._figures = books, judge, board, figures
        self._readers = frozenset(readers)
        self._operator = operator
        self._monotonic = monotonic
        self._pace = pace.Pace()
        self._said = pace.Pace(per_second=5, burst=100)
        """How often a refusal is logged; the metric counts all."""
        self._busy: set[str] = set()

    async def answer(self, request: http.Request) -> http.Response:
        """Answer one request."""
        began = self._monotonic()
        try:
            response = await self._answer(request)
        except Denied as denied:
            self._figures.refused(denied.refusal)
            if denied.refusal in _LOUD and self._said.allows("", self._monotonic()):
                log.warning("refused", extra={"fields": {"path": request.path[:64], "problem": denied.message}})
            return http.refused(denied.refusal, denied.message)
        except Exception:  # a fault of ours must not take the connection's other requests with it
            log.exception("fault")
            self._figures.refused(Refusal.STORAGE)
            return http.refused(Refusal.STORAGE, "the ledger has a fault, nothing was granted: see its log")
        if request.path == contract.PATH_LEDGER_SYNC:
            self._figures.synced(self._monotonic() - began)
        return response

    async def _answer(self, request: http.Request) -> http.Response:
        match request.method, request.path:
            case "POST", contract.PATH_LEDGER_SYNC:
                return await self._sync(request)
            case "GET", contract.PATH_LEDGER_ORDERS:
                return await self._orders(request)
            case "POST", contract.PATH_LEDGER_ORDERS:
                return await self._post(request)
            case "GET", contract.PATH_LEDGER_USAGE:
                return await self._usage(request)
        raise Denied(Refusal.UNKNOWN_PATH, f"{request.method} {request.path[:64]} is not there")

    async def _sync(self, request: http.Request) -> http.Response:
        header = request.headers.get("authorization", "")
        # The token first, without its review: whoever has none does not get to have a body parsed.
        pod = await self._judge.pod(header, starts=False)
        request.named(pod.uid)
        if pod.uid in self._busy or not self._pace.allows(pod.uid, self._monotonic()):
            raise Denied(Refusal.TOO_MANY, "one sync at a time, and not so many")
        self._busy.add(pod.uid)
        try:
            said = _parsed(request.body)
            if not said.session:
                await self._judge.pod(header, starts=True)
            synced = await self._books.sync(pod, said)
        finally:
            self._busy.discard(pod.uid)
        self._figures.lent(len(synced.leases), len(synced.refused))
        return http.Response(200, synced.dump())

    async def _orders(self, request: http.Request) -> http.Response:
        pod = await self._judge.pod(request.headers.get("authorization", ""), starts=False)
        request.named(pod.uid)
        if not self._pace.allows(f"{pod.uid}/orders", self._monotonic()):
            raise Denied(Refusal.TOO_MANY, "orders are waited for, not asked for again and again")
        after = request.query.get("after", "")
        if not after.isdecimal() or len(after) > 16 or not request.query.get("session"):
            raise Denied(Refusal.MALFORMED, "orders are asked for with ?session=...&after=<number>")
        return http.Response(200, (await self._board.wait(pod.key, pod.uid, int(after))).dump())

    async def _post(self, request: http.Request) -> http.Response:
        subject = await self._judge.reader(request.headers.get("authorization", ""))
        request.named(subject)
        if not self._operator or subject != self._operator:
            raise Denied(Refusal.POD, f"{subject} may not give orders")
        try:
            posted = documents.Posted.parse(request.body)
        except reading.DocumentError as error:
            raise Denied(Refusal.MALFORMED, f"the order cannot be read: {error}") from error
        answer = await self._books.order(posted)
        fields = {"policy": f"{posted.namespace}/{posted.policy}", "pod": posted.pod, "incident": posted.incident}
        log.warning("order", extra={"fields": {**fields, "action": posted.action.value, "reason": posted.reason}})
        return http.Response(200, answer.dump())

    async def _usage(self, request: http.Request) -> http.Response:
        subject = await self._judge.reader(request.headers.get("authorization", ""))
        request.named(subject)
        if subject not in self._readers:
            raise Denied(Refusal.POD, f"{subject} may not read the usage")
        watched = request.query.get("version") == documents.usage.WATCHED_VERSION
        page = await self._books.usage(request.query.get("after", ""), watched=watched)
        return http.Response(200, page.dump())


def _parsed(body: bytes) -> documents.Sync:
    try:
        return documents.Sync.parse(body)
    except reading.DocumentError as error:
        raise Denied(Refusal.MALFORMED, f"the sync cannot be read: {error}") from error
