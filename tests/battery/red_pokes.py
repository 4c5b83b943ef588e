"""What a red agent does to the watchdog's process and to its ports, by all calls that the kernel has for that.

Each poke is made at a child of the agent's own first, of the same uid: that is its positive control. `got`: it worked.
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import red  # type: ignore[import-not-found]  # beside this file in the pod

Deed = dict[str, Any]
Finding = dict[str, Any]
WATCHDOG_UID = 10002
LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434
"""The same on every architecture."""
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
IDLE_CLASS = 3 << 13
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
PORTS = (("127.0.0.1", 15001), ("127.0.0.1", 15002), ("::", 15020))


class Vector(ctypes.Structure):
    """A struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def watchdog() -> int:
    """Find the watchdog's process."""
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and folder.stat().st_uid == WATCHDOG_UID:
                return int(folder.name)
    raise ProcessLookupError(3, "no watchdog")


def checked(result: int) -> int:
    """Raise what the C library says of a call that failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def attach(pid: int, request: int) -> None:
    checked(LIBC.ptrace(request, pid, None, None))
    if request == PTRACE_ATTACH:
        os.waitpid(pid, 0x40000000)  # __WALL
        LIBC.ptrace(PTRACE_DETACH, pid, None, None)


def writable(pid: int) -> int:
    """Give where a process has memory that it writes: the child's is ours, the watchdog's is not told to us."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    return int(next(line for line in lines if " rw-p " in line).partition("-")[0], 16)


def write_memory(pid: int) -> None:
    byte = ctypes.create_string_buffer(1)
    here, there = Vector(ctypes.addressof(byte), 1), Vector(writable(pid), 1)
    checked(LIBC.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    checked(LIBC.process_vm_writev(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))


def write_file(pid: int) -> None:
    with pathlib.Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(writable(pid))
        byte = memory.read(1)
        memory.seek(writable(pid))
        memory.write(byte)


def signal_by_file(pid: int) -> None:
    process = checked(LIBC.syscall(PIDFD_OPEN, pid, 0))
    try:
        checked(LIBC.syscall(PIDFD_SEND_SIGNAL, process, signal.SIGKILL, None, 0))
    finally:
        os.close(process)


def read(name: str) -> Callable[[int], object]:
    """Give what reads a file of a process."""
    return lambda pid: pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def listed(name: str) -> Callable[[int], object]:
    """Give what lists a folder of a process."""
    return lambda pid: list(pathlib.Path(f"/proc/{pid}/{name}").iterdir())


def written(name: str, text: str) -> Callable[[int], object]:
    """Give what writes a file of a process."""
    return lambda pid: pathlib.Path(f"/proc/{pid}/{name}").write_text(text)


def io_idle(pid: int) -> None:
    checked(LIBC.syscall(IOPRIO_SET[os.uname().machine], 1, pid, IDLE_CLASS))


POKES: dict[str, Callable[[int], object]] = {
    "SIGKILL": lambda pid: os.kill(pid, signal.SIGKILL),
    "SIGSTOP": lambda pid: os.kill(pid, signal.SIGSTOP),
    "SIGTERM": lambda pid: os.kill(pid, signal.SIGTERM),
    "SIGSEGV": lambda pid: os.kill(pid, signal.SIGSEGV),
    "a signal by pidfd": signal_by_file,
    "ptrace attach": lambda pid: attach(pid, PTRACE_ATTACH),
    "ptrace seize": lambda pid: attach(pid, PTRACE_SEIZE),
    "process_vm_writev": write_memory,
    "/proc/PID/mem": write_file,
    "/proc/PID/environ": read("environ"),
    "/proc/PID/maps": read("maps"),
    "/proc/PID/auxv": read("auxv"),
    "/proc/PID/io": read("io"),
    "/proc/PID/root": listed("root/"),
    "/proc/PID/cwd": listed("cwd/"),
    "/proc/PID/fd": listed("fd"),
    "/proc/PID/exe": lambda pid: pathlib.Path(f"/proc/{pid}/exe").readlink(),
    "/proc/PID/map_files": listed("map_files"),
    "oom_score_adj": written("oom_score_adj", "1000"),
    "coredump_filter": written("coredump_filter", "0x33"),
    "clear_refs": written("clear_refs", "1"),
    "its priority": lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
    "its scheduler": lambda pid: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
    "its processors": lambda pid: os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))}),
    "its limit of files": lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, 8)),
    "its limit of cpu": lambda pid: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)),
    "its io class": io_idle,
}


def child() -> int:
    """Begin a process of the agent's own that waits."""
    begun = os.fork()
    if begun == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(60)
        os._exit(0)
    time.sleep(0.02)
    return begun


def poked(what: str, pid: int) -> tuple[bool, str]:
    """Make one poke; tell whether it worked."""
    try:
        POKES[what](pid)
    except OSError as error:
        return False, red.word_for(error)
    return True, "done"


def poke(deed: Deed) -> Finding:
    """Poke a child of our own, then the watchdog."""
    own = child()
    control, heard = poked(deed["what"], own)
    with contextlib.suppress(ProcessLookupError):
        os.kill(own, signal.SIGKILL)
    os.waitpid(own, 0)
    got, word = poked(deed["what"], watchdog())
    return {"got": got, "word": word, "control": {"got": control, "word": heard}}


def everybody(deed: Deed) -> Finding:
    """Send a signal to every process that takes one of ours."""
    del deed
    own, guard = child(), watchdog()
    os.kill(-1, signal.SIGKILL)
    _, status = os.waitpid(own, 0)
    gone = not pathlib.Path(f"/proc/{guard}").exists()
    ended = os.WIFSIGNALED(status)
    word = "the watchdog is gone" if gone else "it lives"
    return {"got": gone, "word": word, "control": {"got": ended, "word": "the child ended" if ended else "it lives"}}


def first(deed: Deed) -> Finding:
    """Signal the pod's first process: it ends the whole pod, or does nothing."""
    os.kill(1, deed["signal"])
    time.sleep(5)
    return {"got": True, "word": "alive"}


def bound(address: str, port: int, *, shared: bool) -> socket.socket:
    """Listen somewhere; OSError where somebody else does."""
    channel = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT if shared else socket.SO_REUSEADDR, 1)
        channel.bind((address, port))
        channel.listen(64)
    except OSError:
        channel.close()
        raise
    return channel


def bind(deed: Deed) -> Finding:
    """Listen at a port of the watchdog's; the control is the port that nobody has, at the same address."""
    address = own_address(":" in deed["address"]) if deed["address"] in {"own", "own:"} else deed["address"]
    shared = deed["shared"]
    with bound(address, deed["port"] + 1000, shared=shared):
        control = {"got": True, "word": "listens"}
    try:
        bound(address, deed["port"], shared=shared).close()
    except OSError as error:
        return {"got": False, "word": red.word_for(error), "control": control}
    return {"got": True, "word": "listens", "control": control}


def own_address(six: bool) -> str:
    """Give the pod's own address: that of a socket which could reach others; nothing is sent."""
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.connect(("2001:db8::1" if six else "198.51.100.1", 9))
        return str(channel.getsockname()[0])


def squat(deed: Deed) -> Finding:
    """Take the watchdog's ports as soon as they are free, and say to whoever asks that all is well."""
    until, held = time.monotonic() + deed["seconds"], []
    left = [place for place in PORTS if place[1] in deed["ports"]]
    while time.monotonic() < until:
        for place in list(left):
            with contextlib.suppress(OSError):
                channel = bound(*place, shared=False)
                channel.setblocking(False)
                held.append(channel)
                left.remove(place)
                red.say({"id": deed["id"], "squats": place[1], "t": time.time()})
        for channel in held:
            with contextlib.suppress(OSError):
                asking = channel.accept()[0]
                asking.settimeout(0.5)
                asking.recv(4096)
                asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                asking.close()
        time.sleep(0.001)
    return {"got": bool(held), "word": f"{len(held)} ports"}


KINDS = {"poke": poke, "everybody": everybody, "first": first, "bind": bind, "squat": squat}
