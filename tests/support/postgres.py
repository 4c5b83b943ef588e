"""A real PostgreSQL for tests: a cluster of its own in a temporary directory, on a unix socket, by no root."""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg

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
def running(address: str = "", clients: str = "") -> Iterator[str]:
    """Give the connection string of a fresh cluster; it is ended, by its own program and directory, and deleted.

    With an address it listens there too, for `clients` (a range) by a password, and the string leads there.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="zaum-postgres-"))
    account = pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        _run(account, [programs / "initdb", "-D", data, "-A", "trust", "-U", "zaum", "-E", "UTF8", "--locale=C"])
        if address:
            with (data / "pg_hba.conf").open("a") as file:
                file.write(f"host all zaum {clients} scram-sha-256\n")
        options = f"-k {folder} -c listen_addresses='{address}' -c max_connections=20 -c shared_buffers=16MB"
        _run(account, [programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options, "start"])
        try:
            where = f"host={folder} user=zaum dbname=postgres"
            yield _with_password(where, address) if address else where
        finally:
            _run(account, [programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def _with_password(where: str, address: str) -> str:
    word = secrets.token_hex(16)
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"ALTER USER zaum PASSWORD '{word}'".encode())
    return f"host={address} user=zaum password={word} dbname=postgres"


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
