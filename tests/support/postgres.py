"""A real PostgreSQL for tests: a cluster of its own in a temporary directory, on a unix socket, by no root."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_INSTALLED: Final = Path("/usr/lib/postgresql")
ACCOUNT: Final = "postgres"
"""Made by Debian's package. PostgreSQL refuses to run as root."""


class MissingPostgres(Exception):  # noqa: N818 - says what there is
    """Debian's package `postgresql` is not installed: `make prerequisites` installs it."""


def binaries() -> Path:
    """Find the newest release's programs."""
    found = sorted(_INSTALLED.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise MissingPostgres(MissingPostgres.__doc__)
    return found[-1].parent


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Give the connection string of a fresh cluster; it is ended, by its own program and directory, and deleted."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="zaum-postgres-"))
    account = pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        _run(account, [programs / "initdb", "-D", data, "-A", "trust", "-U", "zaum", "-E", "UTF8", "--locale=C"])
        options = f"-k {folder} -c listen_addresses='' -c max_connections=20 -c shared_buffers=16MB"
        _run(account, [programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options, "start"])
        try:
            yield f"host={folder} user=zaum dbname=postgres"
        finally:
            _run(account, [programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def restart(where: str) -> None:
    """End it as a power cut would, and start it again."""
    folder = Path(where.split(maxsplit=1)[0].removeprefix("host="))
    account = pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None
    programs, data = binaries(), folder / "data"
    options = f"-k {folder} -c listen_addresses='' -c max_connections=20 -c shared_buffers=16MB"
    _run(account, [programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    _run(account, [programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options, "start"])


def _run(account: pwd.struct_passwd | None, command: list[str | Path]) -> None:
    who = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    words = [str(part) for part in command]
    pipe = subprocess.PIPE
    done = subprocess.run(  # type: ignore[call-overload]
        words, check=False, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd="/", **who
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-2000:]}")
