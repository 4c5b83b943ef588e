"""Listen at every place of the plan; hand what arrives to its service, witnessed first."""

import asyncio
import functools
import socket
import ssl
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from tests.cluster import addresses
from tests.cluster.world import api, dns, forge, http1, llm, names, outsiders, plan, shelf, website, witness

BACKLOG: Final = 512
HANDSHAKE_SECONDS: Final = 10.0

RESPONDERS: Final[Mapping[plan.Service, http1.Responder]] = {
    plan.Service.WEBSITE: website.respond,
    plan.Service.LLM: llm.respond,
    plan.Service.OUTLAW: outsiders.outlaw,
    plan.Service.METADATA: outsiders.metadata,
    plan.Service.API: api.respond,
    plan.Service.FORGE: forge.respond,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What answers depend on beside the request: names that change, and the shelf of files."""

    names: names.Names
    shelf: shelf.Shelf


@dataclass(frozen=True, slots=True)
class Arrival:
    """A peer at a place, and the way to write down what it does."""

    witness: witness.Witness
    place: plan.Place
    source: tuple[str, int]
    stage: "Stage"

    def saw(self, proto: str, **detail: str | int | bool) -> None:
        """Record one thing that this peer did."""
        self.witness.saw(
            service=self.place.service,
            proto=proto,
            source=self.source,
            place=(self.place.address, self.place.port),
            **detail,
        )


def bind(place: plan.Place, *, loopback: bool) -> socket.socket:
    """Bind one place: to exactly its address, or to its stand-in on loopback with a port that the system chooses."""
    datagram = place.kind in plan.DATAGRAM_KINDS
    family = socket.AF_INET if loopback else place.family
    bound = socket.socket(family, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
    bound.setblocking(False)
    if family is socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if not datagram:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((plan.loopback_address(place.address), 0) if loopback else (place.address, place.port))
    if not datagram:
        bound.listen(BACKLOG)
    return bound


class Listeners:
    """All of the world's sockets, and the tasks that serve them."""

    def __init__(self, record: witness.Witness, contexts: Mapping[plan.Service, ssl.SSLContext], stage: Stage) -> None:
        self._witness = record
        self._stage = stage
        self._contexts = contexts
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.DatagramTransport] = []
        self._asked_names: weakref.WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = weakref.WeakKeyDictionary()
        for context in contexts.values():
            context.sni_callback = self._remember_name

    async def start(self, place: plan.Place, bound: socket.socket) -> None:
        """Serve one place on its socket."""
        loop = asyncio.get_running_loop()
        if place.kind in plan.DATAGRAM_KINDS:
            protocol = functools.partial(Datagrams, self._witness, place, self._stage)
            transport, _ = await loop.create_datagram_endpoint(protocol, sock=bound)
            self._transports.append(transport)
        else:
            self._spawn(self._accept(place, bound))

    async def stop(self) -> None:
        """Close everything."""
        for transport in self._transports:
            transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _remember_name(self, channel: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        self._asked_names[channel] = name or ""

    async def _accept(self, place: plan.Place, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with bound:
            while True:
                connection, peer = await loop.sock_accept(bound)
                arrival = Arrival(self._witness, place, peer[:2], self._stage)
                arrival.saw("tcp")
                self._spawn(self._converse(arrival, connection))

    async def _converse(self, arrival: Arrival, connection: socket.socket) -> None:
        try:
            reader, writer = await self._streams(arrival, connection)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            arrival.saw("tls", ok=False, error=str(error) or type(error).__name__)
            connection.close()
            return
        try:
            await _conversation(arrival)(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the peer went away or fell asleep, which is its right
        finally:
            writer.close()

    async def _streams(
        self, arrival: Arrival, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        context = self._contexts[arrival.place.service] if arrival.place.kind is plan.Kind.HTTPS else None
        reader = asyncio.StreamReader(limit=http1.HEAD_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
        )
        if context:
            channel = transport.get_extra_info("ssl_object")
            arrival.saw("tls", ok=True, sni=self._asked_names.get(channel, ""), version=channel.version() or "")
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _conversation(arrival: Arrival) -> Conversation:
    match arrival.place.kind:
        case plan.Kind.HTTP | plan.Kind.HTTPS:
            return functools.partial(_http, arrival)
        case plan.Kind.DNS_TCP:
            return functools.partial(_dns, arrival)
        case plan.Kind.SINK:
            return functools.partial(_sink, arrival)
        case plan.Kind.ECHO | plan.Kind.DNS_UDP:
            raise AssertionError("datagrams hold no conversation")


async def _http(arrival: Arrival, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    def saw(request: http1.Request, answer: http1.Answer) -> None:
        arrival.saw(
            arrival.place.kind.value,
            method=request.method,
            target=request.target,
            host=request.headers.get("host", ""),
            agent=request.headers.get("user-agent", ""),
            bytes=len(request.body),
            status=answer.status,
            **answer.told,
        )

    def respond(request: http1.Request) -> http1.Answer:
        return arrival.stage.shelf.find(request) or RESPONDERS[arrival.place.service](request)

    shelved = arrival.place.service is plan.Service.WEBSITE
    await http1.serve(reader, writer, respond if shelved else RESPONDERS[arrival.place.service], saw)


async def _sink(arrival: Arrival, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    taken = await outsiders.sink(reader, writer, port=arrival.place.port)
    arrival.saw("tcp", closed=True, bytes=taken)


async def _dns(arrival: Arrival, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), http1.IDLE_SECONDS))
        answer = _answer(arrival, await reader.readexactly(size), transport="tcp")
        if answer is None:
            return
        writer.write(len(answer).to_bytes(2) + answer)
        await writer.drain()


def _answer(arrival: Arrival, message: bytes, *, transport: str) -> bytes | None:
    answer = dns.answer(message, arrival.stage.names.records(message), addresses.WORLD_ALIASES)
    try:
        question = dns.parse(message)
    except dns.MalformedError as error:
        arrival.saw("dns", transport=transport, malformed=str(error))
    else:
        code = answer[3] & 0x0F if answer else -1
        arrival.saw("dns", transport=transport, name=question.name, type=question.qtype, code=code)
    return answer


class Datagrams(asyncio.DatagramProtocol):
    """Answer each datagram with itself, or with DNS."""

    def __init__(self, record: witness.Witness, place: plan.Place, stage: Stage) -> None:
        self._witness = record
        self._place = place
        self._stage = stage
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # 3.11's transport has the methods but not the base class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        arrival = Arrival(self._witness, self._place, (addr[0], addr[1]), self._stage)
        if self._place.kind is plan.Kind.DNS_UDP:
            answer = _answer(arrival, data, transport="udp")
        else:
            arrival.saw("udp", bytes=len(data), head=data[:64].decode("latin-1"))
            answer = data
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
