"""A name with several addresses: none inside is dialled, wherever it stands, and one that is dead is not the end."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.integration.gateway import callers, conftest, loopback
from tests.integration.gateway.test_gateway import eventually, refused
from zaum_api import contract, documents

Rule = contract.Rule
ALIVE = "127.0.0.21"
DEAD = "127.0.0.22"
"""Outside, and nothing listens there: refused at once."""
SILENT = "127.0.0.23"
"""Outside, and a listener that takes no more: a dial is never answered."""
INSIDE = "127.64.0.9"
INSIDE_IPV6 = "::1"
SOURCE = "127.0.0.7"
SERVICE = "several.shop.svc.cluster.local"
SOON_SECONDS = 5.0
"""The next address is dialled after 0.3 s; the rest is for a busy machine."""
SILENT_SECONDS = 10.0
"""How long a dial may take altogether."""

LOST_SECONDS = 0.5
"""For so long after the first one, questions for a name are lost."""
ANEW_SECONDS = 1.8
"""A question is asked anew after a second: less than whoever waits for a tunnel waits."""

INWARD: dict[str, tuple[str, ...]] = {
    "dead, inside": (DEAD, INSIDE),
    "inside, dead": (INSIDE, DEAD),
    "dead, dead, inside": (DEAD, "127.0.0.24", INSIDE),
    "dead, inside by IPv6": (DEAD, INSIDE_IPV6),
    "inside by IPv6, dead": (INSIDE_IPV6, DEAD),
    "inside by both, dead": (INSIDE, INSIDE_IPV6, DEAD),
    "inside by both": (INSIDE_IPV6, INSIDE),
}
"""Where nothing answers but what is inside."""
ALONE = ("inside by both",)
OUTWARD: dict[str, tuple[str, ...]] = {
    "dead, alive": (DEAD, ALIVE),
    "silent, alive": (SILENT, ALIVE),
    "inside, alive": (INSIDE, ALIVE),
    "silent, inside, alive": (SILENT, INSIDE, ALIVE),
    "inside by IPv6, alive": (INSIDE_IPV6, ALIVE),
}


@dataclass
class Inside:
    """Listens at one port of both inward addresses and of the living one, and knows who was dialled."""

    port: int
    dialled: list[str] = field(default_factory=list)


@contextlib.contextmanager
def listening() -> Iterator[Inside]:
    """Echo on one port of ALIVE, INSIDE and INSIDE_IPV6; be silent on SILENT."""
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind((SILENT, 0))
        port = silent.getsockname()[1]
        silent.listen(0)
        for _ in range(4):  # more than its queue holds
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((SILENT, port))
        inside = Inside(port)
        for address in (ALIVE, INSIDE, INSIDE_IPV6):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.create_server((address, port), family=family)
            thread = threading.Thread(target=echo, args=(listener, address, inside.dialled))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.close)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield inside


def echo(listener: socket.socket, address: str, dialled: list[str]) -> None:
    """Write down each connection, and give back what comes first."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        dialled.append(address)
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            connection.sendall(connection.recv(100))


def label(order: str) -> str:
    return order.replace(", ", "-").replace(" ", "-").lower() + ".several.example.com"


def always(found: tuple[str, ...]) -> loopback.Addresses:
    return lambda: found


class Lossy:
    """Leads to ALIVE, when the first questions were lost."""

    def __init__(self) -> None:
        self.lost = 0
        self._since = 0.0

    def __call__(self) -> tuple[str, ...]:
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since < LOST_SECONDS:
            self.lost += 1
            raise loopback.LostError
        return (ALIVE,)


@dataclass
class Several:
    """The gateway, its policy that allows every name here, and what listens."""

    world: conftest.World
    inside: Inside
    lossy: Lossy

    def ask(self, host: str) -> callers.Answer:
        return callers.ask(self.world.lab, f"{host}:{self.inside.port}", token=self.world.token(), source=SOURCE)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    directory = tmp_path_factory.mktemp("several")
    names: dict[str, loopback.Addresses] = {label(order): always(found) for order, found in (INWARD | OUTWARD).items()}
    lossy = Lossy()
    names |= {
        "lossy.several.example.com": lossy,
        "alive.several.example.com": ALIVE,
        "never.several.example.com": SILENT,
        SERVICE: lambda: (DEAD, INSIDE),
    }
    with listening() as inside:
        for world in conftest.make(directory, names=names):
            agent = conftest.pod("several", SOURCE)
            policy = conftest.policy("several", inside.port, host="*.several.example.com")
            world.lab.cluster.policies.put(policy)
            world.lab.cluster.pods.put(agent)
            here = Several(conftest.World(world.lab, world.key, agent, policy), inside, lossy)
            answer = eventually(lambda h=here: h.ask("alive.several.example.com"), Rule.ALLOWED)
            assert speaks(answer)
            yield here


def speaks(answer: callers.Answer) -> bool:
    answer.tunnel.sendall(b"there and back")
    return answer.tunnel.recv(100) == b"there and back"


@pytest.mark.parametrize("order", INWARD)
def test_i05_no_address_inside_is_dialled_wherever_it_stands(several: Several, order: str) -> None:
    for address in (INSIDE, INSIDE_IPV6):
        with socket.create_connection((address, several.inside.port), timeout=5) as control:
            control.sendall(b"it is there")
            assert control.recv(100) == b"it is there"
    several.inside.dialled.clear()
    for _ in range(3):
        answer = several.ask(label(order))
        if order in ALONE:
            refused(answer, Rule.UPSTREAM_ADDRESS)
        else:
            assert (answer.status, answer.headers[contract.HEADER_RULE]) == (503, Rule.UPSTREAM_UNAVAILABLE.value)
            assert answer.denial["message"]
    assert several.inside.dialled == []
    assert speaks(several.ask("alive.several.example.com"))


@pytest.mark.parametrize("order", OUTWARD)
def test_an_address_that_is_dead_is_not_the_end(several: Several, order: str) -> None:
    started = time.monotonic()
    answer = several.ask(label(order))
    assert answer.status == 200
    assert time.monotonic() - started < SOON_SECONDS
    assert speaks(answer)
    line = several.world.lab.envoy.await_line(authority=f"{label(order)}:{several.inside.port}")
    assert line["upstream"] == f"{ALIVE}:{several.inside.port}"


def test_a_question_for_a_name_that_is_lost_is_asked_anew_before_anybody_gives_up(several: Several) -> None:
    started = time.monotonic()
    answer = several.ask("lossy.several.example.com")
    took = time.monotonic() - started
    assert answer.status == 200
    assert several.lossy.lost
    assert took < ANEW_SECONDS
    assert speaks(answer)


def test_where_every_address_is_silent_it_is_said_in_time(several: Several) -> None:
    connection = callers.dial(several.world.lab, source=SOURCE)
    connection.settimeout(2 * SILENT_SECONDS)
    authority = f"never.several.example.com:{several.inside.port}"
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    connection.sendall(f"{head}Proxy-Authorization: Bearer {several.world.token()}\r\n\r\n".encode())
    started = time.monotonic()
    answer = callers.read(connection)
    assert (answer.status, answer.headers[contract.HEADER_RULE]) == (503, Rule.UPSTREAM_UNAVAILABLE.value)
    assert time.monotonic() - started < SILENT_SECONDS + SOON_SECONDS


def test_a_service_may_have_dead_addresses(several: Several) -> None:
    """Its name is the cluster's own, and all of its addresses are what the route was granted."""
    route = documents.EffectiveRoute(name="web", host=SERVICE, port=several.inside.port, service=True)
    agent, policy = conftest.pod("served", "127.0.0.8"), conftest.policy("served", 443)
    policy["status"]["effective"] = documents.Effective(hosts=(), routes=(route,)).write()
    here = conftest.World(several.world.lab, several.world.key, agent, policy)
    here.lab.cluster.policies.put(policy)
    here.lab.cluster.pods.put(agent)
    authority = f"{SERVICE}:{several.inside.port}"
    ask = lambda: callers.ask(here.lab, authority, token=here.token(), source="127.0.0.8")  # noqa: E731
    assert speaks(eventually(ask, Rule.ALLOWED))
