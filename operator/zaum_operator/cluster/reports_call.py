"""One question to one authorizer (what have the watchdogs said) or ledger. Bounded in time and in size."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from zaum_api import contract
from zaum_operator.core import reports

SECONDS: Final = 3.0
"""For one answer; two authorizers are asked one after the other, and all within a period."""
_CHUNK: Final = 256 * 1024
_TOKEN_MAX: Final = 16 * 1024


class CallError(Exception):
    """An authorizer was not asked, did not answer, or answered with something else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of whom: the path, the name in the other side's certificate, and how many bytes it may answer.

    With a `body` it is a POST.
    """

    path: str = contract.PATH_REPORTS
    name: str = contract.AUTHORIZER_TLS_NAME
    most: int = reports.BODY_MAX
    body: bytes = b""
    waits: float = 0.0
    """For how many seconds it may hold its answer back."""


REPORTS: Final = Asked()


async def ask(address: str, port: int, ca_file: Path, token_file: Path, asked: Asked = REPORTS) -> bytes:
    """Give the body of the answer. Raises CallError.

    CA and token are read each time: the kubelet and the certificates' rotation renew both.
    """
    try:
        context, token = await asyncio.to_thread(_credentials, ca_file, token_file)
        async with asyncio.timeout(SECONDS + asked.waits):
            return await _get(address, port, context, token, asked)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise CallError(f"{type(error).__name__}: {error}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # A task inside the library was ended, not we: kopf ends all that were born after it when it stops.
        raise CallError("the connection's task was ended") from error


async def _get(address: str, port: int, context: ssl.SSLContext, token: str, asked: Asked) -> bytes:
    host = f"[{address}]" if ":" in address else address
    async with (
        aiohttp.ClientSession(auto_decompress=False, trust_env=False) as session,
        session.request(
            "POST" if asked.body else "GET",
            f"https://{host}:{port}{asked.path}",
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            data=asked.body or None,
            ssl=context,
            server_hostname=asked.name,
            allow_redirects=False,
        ) as answer,
    ):
        if answer.status != 200:
            raise CallError(f"answered {answer.status}")
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_chunked(_CHUNK):
            size += len(part)
            if size > asked.most:
                raise CallError(f"answered with more than {asked.most} bytes")
            parts.append(part)
        return b"".join(parts)


def _credentials(ca_file: Path, token_file: Path) -> tuple[ssl.SSLContext, str]:
    """Read both. A token that would not fit into a header line is none."""
    context = ssl.create_default_context(cadata=ca_file.read_text("ascii"))
    token = token_file.read_text("ascii").strip()
    if not token or len(token) > _TOKEN_MAX or not token.isprintable() or " " in token:
        raise ValueError(f"{token_file} holds no token")
    return context, token
