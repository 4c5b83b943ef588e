"""What keeps the process small: read off a process that settles as the operator does."""

import subprocess
import sys

from zaum_operator import footprint

CONNECTION = """
import asyncio, ssl
from asyncio import sslproto
from zaum_operator import footprint

async def receive():
    loop, context = asyncio.get_running_loop(), ssl.create_default_context()
    protocol = sslproto.SSLProtocol(loop, asyncio.Protocol(), context, None)
    print(len(protocol.get_buffer(-1)))

footprint.settle()
asyncio.run(receive())
"""
WALKED = """
import gc
from zaum_operator import footprint

kept = [[] for _ in range(50_000)]
footprint.settle()
print(len(gc.get_objects()))
"""
PILED_UP = """
from collections import deque
from zaum_operator import footprint

stays = [[] for _ in range(200_000)]
alive = most = 0

class Event:
    def __init__(self):
        global alive
        alive += 1
        self.me, self.object = self, [{"a": []} for _ in range(25)]

    def __del__(self):
        global alive
        alive -= 1

footprint.settle()
under_way = deque(maxlen=200)
for _ in range(20_000):
    under_way.append(Event())
    most = max(most, alive)
print(most)
"""


def said_by(program: str) -> int:
    """Run a program in a process of its own: what it arranges is the whole process's."""
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60).stdout)


def test_a_connection_takes_no_more_from_its_socket_at_once_than_was_arranged() -> None:
    assert said_by(CONNECTION) == footprint.TLS_BUFFER


def test_what_was_there_before_the_loop_is_walked_no_more() -> None:
    assert said_by(WALKED) < 1_000


def test_events_tied_into_cycles_do_not_pile_up() -> None:
    """Not even those that live through a collection or two, next to much that stays."""
    assert said_by(PILED_UP) < 1_400
