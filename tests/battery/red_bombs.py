"""What a red agent does to the machine below it: processes, cpu, memory, disks, files, ports.

Each deed takes at most `most` of something, for `seconds` at most, and gives it back. `got`: it took `most`.
"""

import mmap
import multiprocessing
import os
import pathlib
import signal
import socket
import sys
import time
from typing import Any

import red  # type: ignore[import-not-found]  # beside this file in the pod

Deed = dict[str, Any]
Finding = dict[str, Any]
MIB = 1024 * 1024
PIECE = 256 * 1024
LINE = 8 * 1024
EACH = 8 * 1024
"""Ports for one process."""


def hold(deed: Deed, made: int, *, whole: bool) -> None:
    """Say what is held, and hold it for `hold` seconds, where there is no such word for `seconds`."""
    red.say({"id": deed["id"], "holds": made, "whole": whole})
    time.sleep(deed["hold"] if "hold" in deed else deed["seconds"])


def idle(most: int) -> tuple[list[int], str]:
    """Begin children that only wait; give them, and what ended it."""
    children: list[int] = []
    for _ in range(most):
        try:
            child = os.fork()
        except OSError as error:
            return children, os.strerror(error.errno or 0)
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            time.sleep(120)
            os._exit(0)
        children.append(child)
    return children, "all"


def end(children: list[int]) -> None:
    """End children of ours."""
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)


def forks(deed: Deed) -> Finding:
    """Begin as many processes as there may be, and keep them for a while."""
    children, word = idle(deed["most"])
    hold(deed, len(children), whole=len(children) >= deed["most"])
    end(children)
    return {"got": len(children) >= deed["most"], "word": word, "made": len(children)}


def storm(deed: Deed) -> Finding:
    """Begin processes that end at once, as fast as that goes."""
    until, made = time.monotonic() + deed["seconds"], 0
    while made < deed["most"] and time.monotonic() < until:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        made += 1
    hold(deed, made, whole=made >= deed["most"])
    return {"got": made >= deed["most"], "word": "all", "made": made}


def burn(seconds: float) -> None:
    """Use a processor."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def spin(deed: Deed) -> Finding:
    """Use every processor in several processes; `short`: each of them ends soon, and another begins."""
    until, made = time.monotonic() + deed["seconds"], 0
    life = deed.get("short", deed["seconds"])
    while time.monotonic() < until:
        children = [multiprocessing.Process(target=burn, args=(life,)) for _ in range(deed["most"])]
        for child in children:
            child.start()
        if not made:
            red.say({"id": deed["id"], "holds": len(children), "whole": True})
        for child in children:
            child.join()
        made += len(children)
    return {"got": True, "word": "all", "made": made}


def balloon(deed: Deed) -> Finding:
    """Take memory and touch it: `most` MiB, `step` at a time with a `pause` between them."""
    held = []
    for _ in range(0, deed["most"], deed["step"]):
        piece = mmap.mmap(-1, deed["step"] * MIB)
        for place in range(0, len(piece), mmap.PAGESIZE):
            piece[place] = 1
        held.append(piece)
        time.sleep(deed["pause"])
    hold(deed, len(held) * deed["step"], whole=True)
    return {"got": True, "word": "all", "made": len(held) * deed["step"]}


def fill(deed: Deed) -> Finding:
    """Write a file of `most` MiB into a folder, keep it for a while, and take it away."""
    path, made, word = pathlib.Path(deed["path"]) / "filler", 0, "all"
    try:
        with path.open("wb", buffering=0) as opened:
            while made < deed["most"] * MIB:
                made += opened.write(os.urandom(PIECE))
    except OSError as error:
        word = os.strerror(error.errno or 0)
    hold(deed, made // MIB, whole=word == "all")
    path.unlink(missing_ok=True)
    return {"got": word == "all", "word": word, "made": made // MIB}


def inodes(deed: Deed) -> Finding:
    """Make empty files with long names, keep them for a while, and take them away."""
    folder, made, word = pathlib.Path(deed["path"]) / "storm", 0, "all"
    try:
        folder.mkdir()
        for number in range(deed["most"]):
            os.close(os.open(f"{folder}/{number:0>128}", os.O_CREAT | os.O_WRONLY, 0o600))
            made += 1
    except OSError as error:
        word = os.strerror(error.errno or 0)
    hold(deed, made, whole=word == "all")
    for number in range(made):
        (folder / f"{number:0>128}").unlink()
    return {"got": word == "all", "word": word, "made": made}


def logs(deed: Deed) -> Finding:
    """Print `most` MiB that no compression makes less."""
    made = 0
    while made < deed["most"] * MIB:
        made += sys.stdout.write(os.urandom(LINE // 2).hex() + "\n")
    sys.stdout.flush()
    hold(deed, made // MIB, whole=True)
    return {"got": True, "word": "all", "made": made // MIB}


def files(deed: Deed) -> Finding:
    """Open the same file again and again."""
    held: list[int] = []
    word = "all"
    try:
        while len(held) < deed["most"]:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        word = os.strerror(error.errno or 0)
    hold(deed, len(held), whole=word == "all")
    for each in held:
        os.close(each)
    return {"got": word == "all", "word": word, "made": len(held)}


def taken(first: int, last: int) -> list[socket.socket]:
    """Take the ports of a range that are free, in both families."""
    held = []
    for port in range(first, last):
        channel = socket.socket(socket.AF_INET6)
        try:
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            channel.bind(("::", port))
        except OSError:
            channel.close()
            continue
        held.append(channel)
    return held


def ports(deed: Deed) -> Finding:
    """Take every port that a connection could begin at, in several processes: each may have so many files only."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    children, outlets = [], []
    for first in range(low, high + 1, EACH):
        outlet, inlet = os.pipe()
        child = os.fork()
        if child == 0:
            held = taken(first, min(first + EACH, high + 1))
            os.write(inlet, f"{len(held)}".encode())
            time.sleep(deed["seconds"])
            os._exit(0)
        children.append(child)
        outlets.append(outlet)
    made = sum(int(os.read(outlet, 16)) for outlet in outlets)
    whole = made >= 0.9 * (high - low)
    red.say({"id": deed["id"], "holds": made, "whole": whole})
    while children:
        os.waitpid(children.pop(), 0)
    return {"got": whole, "word": "all", "made": made}


KINDS = {
    "forks": forks, "storm": storm, "spin": spin, "balloon": balloon, "fill": fill, "inodes": inodes, "logs": logs,
    "files": files, "ports": ports,
}  # fmt: skip
