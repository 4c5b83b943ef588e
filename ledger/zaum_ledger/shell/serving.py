"""Put the ledger together and serve until SIGTERM."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from typing import Final

from zaum_api import documents
from zaum_ledger import settings
from zaum_ledger.core.conduct import Conduct
from zaum_ledger.shell import (
    clock,
    cluster,
    door,
    health,
    http,
    incidents,
    ledger,
    metrics,
    orders,
    routes,
    tls,
    tokens,
)
from zaum_ledger.shell.denied import Denied
from zaum_ledger.shell.stores import grouped, port

log = logging.getLogger("zaum.ledger")

DRAIN_SECONDS: Final = 3.0
SWEEP_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 60.0
LOOK_AGAIN_SECONDS: Final = 5.0
OTHERS: Final = 30_000
"""Milliseconds: what has been due for longer, another ledger has left behind."""
AGAIN_SECONDS: Final = 2.0
"""Between two looks at a store that failed."""


async def run(options: settings.Settings, engine: port.Engine) -> None:
    """Serve; a task that ends by an error ends the process, and the kubelet starts it anew."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    before, after = engine.migrate()
    time = clock.LedgerClock(engine.last())
    figures = metrics.Metrics()
    figures.follow("clock_ahead_seconds", "The books' time before the wall clock's.", time.ahead)
    access = cluster.Access(options.api_url, options.api_token_file, options.api_ca_file)
    server = cluster.ApiServer(access)
    judge = tokens.Tokens(
        server, wall=clock.wall, monotonic=clock.monotonic, review_seconds=float(options.review_seconds)
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.close)
        store = grouped.Grouped(engine, figures.committed)
        stack.push_async_callback(store.close)
        books = ledger.Ledger(store, time.now)
        board = orders.Board()
        reporter = incidents.Reporter(server, books, now=time.now, ahead=time.ahead, figures=figures)
        books.heard = _hearing(board, reporter)
        figures.follow("incidents_due", "Incidents that are still to be made.", lambda: len(reporter))
        pages = routes.Routes(
            books=books,
            judge=judge,
            board=board,
            figures=figures,
            readers=options.readers,
            operator=options.operator,
            monotonic=clock.monotonic,
        )
        front = http.Server(pages.answer, most=options.connections, body_max=documents.SYNC_MAX_BYTES)
        missing = _missing(judge, books)
        side = http.Server(
            health.Health(missing, figures, books, clock.monotonic).answer,
            most=health.CONNECTIONS,
            body_max=0,
            asks=False,
        )
        entrance = door.Door(front, tls.Files(options.tls_dir).context())
        _show(figures, front, entrance)
        figures.follow("storage_failing", "1 while the books cannot be written.", lambda: bool(books.problem))
        listening = entrance.listen(options.host, options.port)
        beside = await _listen(side, options.health_host, options.health_port)
        stack.callback(entrance.close)
        stack.callback(beside.close)
        stack.push_async_callback(front.drain, DRAIN_SECONDS)
        stack.push_async_callback(side.drain, 0.1)
        stack.callback(board.release)
        fields = {
            "port": listening,
            "connections": options.connections,
            "health": beside.sockets[0].getsockname()[1],
            "schema": [before, after],
            "ahead": round(time.ahead(), 3),
        }
        log.info("started", extra={"fields": fields})
        looks = (_sweep(books), _again(books), _look(books, board, reporter))
        await _until(stopped, judge.run(), front.run(), side.run(), reporter.run(), *looks)


def _hearing(board: orders.Board, reporter: incidents.Reporter) -> ledger.Heard:
    """Hand a policy's conduct on to those who act on it."""

    def heard(key: str, conduct: Conduct) -> None:
        board.show(key, conduct.orders)
        reporter.wake(key, conduct)

    return heard


def _missing(judge: tokens.Tokens, books: ledger.Ledger) -> "health.Missing":
    def missing() -> str:
        if judge.keys is None:
            return "waiting for the API server's keys"
        return f"the store fails: {books.problem}" if books.problem else ""

    return missing


def _show(figures: metrics.Metrics, front: http.Server, entrance: door.Door) -> None:
    figures.follow("connections", "Open connections.", lambda: len(front.crowd))
    figures.follow("strangers", "Those by which nobody has proven yet who it is.", lambda: front.crowd.strangers)
    figures.follow("handshakes", "Handshakes under way.", lambda: entrance.pending)
    figures.follow(
        "connections_ended", "Connections that gave way to others.", lambda: front.ended_early + entrance.ended
    )


async def _listen(server: http.Server, host: str, number: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(server.connection, host or None, number)


async def _until(stopped: asyncio.Event, *work: Coroutine[None, None, None]) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        await stopped.wait()
        for task in tasks:
            task.cancel()


async def _look(books: ledger.Ledger, board: orders.Board, reporter: incidents.Reporter) -> None:
    """Look at the start for what is due and ordered, and then for what other ledgers have left or taken."""
    since = 0
    while True:
        try:
            stood, found = board.shown(), await books.conducts()
            for key, conduct in found.items():
                board.show(key, conduct.orders, looked=True)
                reporter.wake(key, conduct, since=since)
            board.forget(stood, found)
        except Denied as denied:
            log.warning("look-failed", extra={"fields": {"error": denied.message}})
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        else:
            since = OTHERS
            await asyncio.sleep(LOOK_SECONDS)


async def _again(books: ledger.Ledger) -> None:
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        await books.try_again()


async def _sweep(books: ledger.Ledger) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            deleted = await books.sweep()
        except (Denied, port.StorageError) as error:
            log.warning("sweep-failed", extra={"fields": {"error": str(error)}})
        else:
            log.info("swept", extra={"fields": {"deleted": deleted}})
