"""Write log records: one JSON object per line, ASCII, every control character escaped.

Decisions are written by hand, because they are on the hot path: all their texts are rule names, canonical host names,
names of Kubernetes objects or paths in normal form, and none of these holds a character that JSON escapes. Every other
text goes through `json`, which escapes it.
"""

import datetime
import functools
import json
from collections.abc import Mapping
from typing import Final

from zaum_api import contract

BY_WATCHDOG: Final = "watchdog"
BY_GATEWAY: Final = "gateway"
PATH_MAX: Final = 512
"""Characters of a path that a record holds."""
_NO_TEXT: Final = '""'
_WOULD: Final = {False: "", True: ',"wouldDeny":true'}


class Writer:
    """Writes the records of one policy. Wall-clock times are nanoseconds since the epoch, given by the caller."""

    __slots__ = ("_milli", "_prefix", "_second", "_stamp", "_who")

    def __init__(self, *, namespace: str, policy: str) -> None:
        self._who = f'"namespace":{json.dumps(namespace)},"policy":{json.dumps(policy)}'
        self._milli = -1
        self._second = -1
        self._prefix = ""
        self._stamp = ""

    def decision(
        self, wall: int, rule: contract.Rule, host: str, port: int, *, status: int, by: str, would_deny: bool = False
    ) -> str:
        """Record one decision. `host` is in canonical form, or empty where the request named none that is safe.

        `would_deny`: it was let pass in the mode Report, and `rule` is what would have refused it.
        """
        return (
            f'{{"ts":"{self._time(wall)}","kind":"decision",{self._who},"rule":"{rule}",'
            f'"host":"{host}","port":{port},"status":{status},"by":"{by}"{_WOULD[would_deny]}}}\n'
        )

    def routed(
        self,
        wall: int,
        rule: contract.Rule,
        host: str,
        port: int,
        *,
        status: int,
        by: str,
        route: str,
        method: str,
        path: str,
        would_deny: bool = False,
    ) -> str:
        """Record one decision on a route; `status` 0: the answer is still to come. The path is in normal form.

        All of these texts are empty where the request named none that is safe.
        """
        return (
            f'{{"ts":"{self._time(wall)}","kind":"decision",{self._who},"rule":"{rule}","host":"{host}","port":{port},'
            f'"status":{status},"by":"{by}","route":"{route}","method":"{method}","path":"{path[:PATH_MAX]}"'
            f"{_WOULD[would_deny]}}}\n"
        )

    def request(
        self,
        wall: int,
        *,
        route: str,
        method: str,
        path: str,
        status: int,
        up: int,
        down: int,
        millis: int,
        rule: contract.Rule | None,
        more: str = "",
    ) -> str:
        """Record the end of an allowed request: content from and to the agent in bytes, the rule if one ended it.

        `more`: what `called` or `redacted` wrote.
        """
        return (
            f'{{"ts":"{self._time(wall)}","kind":"request",{self._who},"rule":"{rule or ""}","route":"{route}",'
            f'"method":"{method}","path":"{path[:PATH_MAX]}","status":{status},"bytesOut":{up},"bytesIn":{down},'
            f'"millis":{millis}{more}}}\n'
        )

    def closed(
        self, wall: int, host: str, port: int, *, up: int, down: int, millis: int, rule: contract.Rule | None
    ) -> str:
        """Record the end of a tunnel: bytes from and to the agent, its life, the rule if one ended it."""
        return (
            f'{{"ts":"{self._time(wall)}","kind":"tunnel",{self._who},"rule":"{rule or ""}",'
            f'"host":"{host}","port":{port},"bytesOut":{up},"bytesIn":{down},"millis":{millis}}}\n'
        )

    def event(self, wall: int, kind: str, fields: Mapping[str, str | int]) -> str:
        """Record anything else; texts may hold anything."""
        rest = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in fields.items())
        return f'{{"ts":"{self._time(wall)}","kind":{json.dumps(kind)},{self._who}{rest}}}\n'

    def _time(self, wall: int) -> str:
        milli = wall // 1_000_000
        if milli != self._milli:
            self._milli = milli
            second, rest = divmod(milli, 1000)
            if second != self._second:
                self._second = second
                at = datetime.datetime.fromtimestamp(second, datetime.UTC)
                self._prefix = at.strftime("%Y-%m-%dT%H:%M:%S")
            self._stamp = f"{self._prefix}.{rest:03d}Z"
        return self._stamp


def called(
    model: str, *, output: int, reserved_tokens: int, tokens: int, reserved_cost: int, cost: int, doubt: str
) -> str:
    """Write what a record says of a call of a model: cost in micro-dollars, `doubt` why it is charged the worst."""
    return (
        f',"model":{_quoted(model)},"maxOutput":{output},"reservedTokens":{reserved_tokens},"tokens":{tokens},'
        f'"reservedCost":{reserved_cost},"cost":{cost},"doubt":{json.dumps(doubt) if doubt else _NO_TEXT}'
    )


_quoted: Final = functools.lru_cache(maxsize=64)(json.dumps)
"""For names of models, of which there are few; no name is longer than 256 characters."""


def redacted(request: Mapping[str, int], response: Mapping[str, int]) -> str:
    """Write how many values of each class were found; empty where none was."""
    found = {name: dict(sorted(counts.items())) for name, counts in (("request", request), ("response", response))}
    return f',"redacted":{json.dumps(found, separators=(",", ":"))}' if request or response else ""
