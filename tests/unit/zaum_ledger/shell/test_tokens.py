"""When a token counts: its signature, the API server's word, and what an API server that is away changes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from zaum_api import contract
from zaum_api.documents import Refusal
from zaum_ledger.shell import cluster, tokens
from zaum_ledger.shell.cluster import Verdict
from zaum_ledger.shell.denied import Denied

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NEXT = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = "https://issuer.test"


def token(key: Any = KEY, kid: str = "one", **more: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": [contract.AUDIENCE_LEDGER],
        "sub": "system:serviceaccount:agents:zaum-researcher",
        "nbf": 1_000,
        "exp": 1_600,
        "kubernetes.io": {
            "namespace": "agents",
            "pod": {"name": "zaum-researcher-0-0a1b2", "uid": "uid"},
            "serviceaccount": {"name": "zaum-researcher", "uid": "sa"},
        },
    } | more
    return "Bearer " + jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


class Simulated:
    """An API server with these keys, which says `verdict` of every token."""

    def __init__(self) -> None:
        self.published: dict[str, Any] = {"one": KEY}
        self.verdict = Verdict.STANDS
        self.away = False
        self.fetched = self.reviewed = 0

    async def keys(self) -> tuple[object, object]:
        self.fetched += 1
        if self.away:
            raise cluster.Unreachable("away")
        keys = [json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid} for kid, key in self.published.items()]
        return ISSUER, {"keys": keys}

    async def review(self, _: str) -> Verdict:
        self.reviewed += 1
        return self.verdict


class World:
    def __init__(self) -> None:
        self.api = Simulated()
        self.wall, self.since = 1_200.0, 50.0
        self.tokens = tokens.Tokens(self.api, wall=lambda: self.wall, monotonic=lambda: self.since)

    async def refusal(self, header: str, *, starts: bool = False) -> Refusal | None:
        try:
            await self.tokens.pod(header, starts=starts)
        except Denied as denied:
            return denied.refusal
        await asyncio.sleep(0)  # a review that was begun beside it ends
        return None


def play(story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        await world.tokens.fetch()
        await story(world)

    asyncio.run(run())


def test_i05_a_session_starts_by_the_api_servers_word_alone() -> None:
    async def story(world: World) -> None:
        world.api.verdict = Verdict.ENDED
        assert await world.refusal(token(), starts=True) is Refusal.TOKEN
        world.api.verdict = Verdict.UNKNOWN
        assert await world.refusal(token(jti="2"), starts=True) is Refusal.STORAGE
        world.api.verdict = Verdict.STANDS
        assert await world.refusal(token(jti="2"), starts=True) is None

    play(story)


def test_i05_a_token_that_has_ended_counts_no_more_within_a_minute() -> None:
    async def story(world: World) -> None:
        header = token()
        assert await world.refusal(header, starts=True) is None
        world.api.verdict = Verdict.ENDED
        world.since += 59
        assert await world.refusal(header) is None
        assert world.api.reviewed == 1, "and nobody is asked at every request"
        world.since += 1
        assert await world.refusal(header) is None, "the request during which it is asked goes on"
        assert await world.refusal(header) is Refusal.TOKEN
        assert world.api.reviewed == 2

    play(story)


@pytest.mark.parametrize("starts", [True, False])
def test_a_token_that_has_ended_is_asked_for_again_and_stands_if_the_api_server_says_so(starts: bool) -> None:
    async def story(world: World) -> None:
        header = token()
        world.api.verdict = Verdict.ENDED
        assert await world.refusal(header, starts=True) is Refusal.TOKEN
        world.api.verdict = Verdict.STANDS
        world.since += 9
        assert await world.refusal(header, starts=starts) is Refusal.TOKEN
        assert world.api.reviewed == 1, "nobody is asked at every request"
        world.since += 1
        if not starts:
            assert await world.refusal(header) is Refusal.TOKEN, "it counts no more until the API server has said so"
            await asyncio.sleep(0)
        assert await world.refusal(header, starts=starts) is None
        assert world.api.reviewed == 2

    play(story)


def test_i05_a_token_that_has_ended_does_not_stand_while_nobody_can_be_asked() -> None:
    async def story(world: World) -> None:
        header = token()
        world.api.verdict = Verdict.ENDED
        assert await world.refusal(header, starts=True) is Refusal.TOKEN
        world.api.verdict = Verdict.UNKNOWN
        world.since += 60
        for starts in (True, False):
            assert await world.refusal(header, starts=starts) is Refusal.TOKEN

    play(story)


def test_an_api_server_that_is_away_ends_no_session_before_its_token_ends() -> None:
    async def story(world: World) -> None:
        header = token()
        assert await world.refusal(header, starts=True) is None
        world.api.verdict = Verdict.UNKNOWN
        for _ in range(5):
            world.since += 60
            assert await world.refusal(header) is None
        world.wall = 1_605
        assert await world.refusal(header) is Refusal.TOKEN

    play(story)


def test_a_rotated_key_is_fetched_with_the_first_token_and_a_made_up_one_costs_little() -> None:
    async def story(world: World) -> None:
        world.api.published["two"] = NEXT
        assert await world.refusal(token(NEXT, "two")) is None
        for number in range(20):
            assert await world.refusal(token(NEXT, f"made-up-{number}")) is Refusal.TOKEN
        assert world.api.fetched == 2
        world.since += 10
        assert await world.refusal(token(NEXT, "made-up")) is Refusal.TOKEN
        assert world.api.fetched == 3

    play(story)


def test_keys_that_cannot_be_fetched_stay_as_they_were() -> None:
    async def story(world: World) -> None:
        world.api.away = True
        await world.tokens.fetch()
        assert await world.refusal(token()) is None

    play(story)


def test_before_the_keys_are_known_nobody_is_heard() -> None:
    assert asyncio.run(World().refusal(token())) is Refusal.STORAGE


@pytest.mark.parametrize("header", ["", "Bearer ", "Basic x", token(NEXT), "Bearer " + "x" * 9_000, token()[:-8]])
def test_what_is_no_token_of_the_api_server_is_refused(header: str) -> None:
    async def story(world: World) -> None:
        assert await world.refusal(header) is Refusal.TOKEN
        assert await world.refusal(token()) is None

    play(story)


def test_a_readers_token_is_no_watchdogs_and_the_other_way_round() -> None:
    async def story(world: World) -> None:
        header = token(aud=contract.AUDIENCE_LEDGER_READ, sub="operator")
        assert await world.tokens.reader(header) == "operator"
        assert await world.refusal(header) is Refusal.TOKEN
        with pytest.raises(Denied):
            await world.tokens.reader(token())

    play(story)
