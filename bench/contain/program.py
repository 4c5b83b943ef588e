"""The agent whose end is measured, as text. It does what the file of its name on the world's shelf tells it."""

from typing import Final

from tests.cluster import addresses
from tests.support.e2e import programs

TALK: Final = "talk"
BREACH: Final = "breach"
DEAF: Final = "deaf"
"""An argument: it is told to end (SIGTERM), and does not."""

_ASK: Final = r"""
def ask(tls, target):
    tls.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    held = b""
    while b"\r\n\r\n" not in held:
        held += tls.recv(65536) or stop()
    head, _, body = held.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += tls.recv(65536) or stop()
    return body if b" 200 " in head.split(b"\r\n")[0] else b""

def stop():
    raise OSError("closed")

def deny(times=None):
    while times is None or times > 0:
        try:
            tunnel(OUTLAW).close()
        except OSError:
            pass
        times = times and times - 1
        time.sleep(0.03)
"""

_HEAD: Final = f"""
import itertools, signal, sys, threading, time
HOST, OUTLAW, NAME = {addresses.WEBSITE_NAME!r}, {addresses.OUTLAW_NAME!r}, sys.argv[1]
if {DEAF!r} in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
{programs.CONNECTED}
{_ASK}
order = b""
"""

CAGED: Final = f"""{_HEAD}
while True:
    try:
        tls = tunnel(HOST)
        for number in itertools.count():
            if not order or number % 10 == 0:
                heard = ask(tls, f"/shelf/{{NAME}}")
                if heard == b"{BREACH}" != order:
                    threading.Thread(target=deny, daemon=True).start()
                order = heard
            if order:
                ask(tls, f"/?talk={{NAME}}")
            time.sleep(0.01 if order else 0.33)
    except OSError:
        time.sleep(0.02)
"""
"""Asks for its orders, talks a hundred times a second when told to, and goes on when it is denied things. Once it is
cut off it tries to get out fifty times a second."""

EAGER: Final = f"""{_HEAD}
while True:
    began = time.monotonic()
    try:
        tls = tunnel(HOST)
        heard = ask(tls, f"/shelf/{{NAME}}")
        if heard == b"{BREACH}" != order:
            threading.Thread(target=deny, args=(12,), daemon=True).start()
        order = heard
        tls.close()
    except OSError:
        pass
    time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
"""
"""Opens ten tunnels a second, and asks one thing by each; is denied a dozen things when told to."""
