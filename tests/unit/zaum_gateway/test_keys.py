"""When keys are fetched, and when not."""

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from zaum_gateway.cluster import api, keys

KEY = {**json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()))}


class Simulated:
    """Serves one key set under changing key ids, or fails."""

    def __init__(self) -> None:
        self.kid = "first"
        self.fetches = 0
        self.down = False
        self.hold: asyncio.Event | None = None

    async def get(self, path: str) -> dict[str, Any]:
        if self.hold is not None:
            await self.hold.wait()
        if self.down:
            raise api.Unreachable("down")
        if path == keys.DISCOVERY_PATH:
            return {"issuer": "https://issuer.test"}
        self.fetches += 1
        return {"keys": [{**KEY, "kid": self.kid}]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_of_unknown_keys_costs_one_fetch_per_period() -> None:
    source, clock = Simulated(), Clock()

    async def run() -> None:
        ring = keys.Keys(source, clock)
        await asyncio.gather(*(ring.renewed() for _ in range(50)))
        assert source.fetches == 1
        await ring.renewed()
        assert source.fetches == 1
        clock.now += keys.RENEW_SECONDS
        source.kid = "second"
        renewed = await ring.renewed()
        assert source.fetches == 2
        assert renewed is not None
        assert set(renewed.keys) == {"second"}

    asyncio.run(run())


def test_i08_a_failed_fetch_keeps_the_keys() -> None:
    source, clock = Simulated(), Clock()

    async def run() -> None:
        ring = keys.Keys(source, clock)
        first = await ring.renewed()
        source.down = True
        clock.now += keys.RENEW_SECONDS
        assert await ring.renewed() is first
        assert first is not None

    asyncio.run(run())


def test_a_decision_waits_for_a_fetch_no_longer_than_envoy_would(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Simulated()
    monkeypatch.setattr(keys, "WAIT_SECONDS", 0.01)

    async def run() -> None:
        source.hold = asyncio.Event()
        ring = keys.Keys(source, Clock())
        assert await ring.renewed() is None
        source.hold.set()
        renewed = await ring.renewed()
        assert renewed is not None, "the fetch that was under way is waited for, not begun again"
        assert source.fetches == 1

    asyncio.run(run())


def test_keys_are_fetched_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source, waited = Simulated(), list[float]()
    source.down = True

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        source.down = False
        if len(waited) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(api, "pause", pause)

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await keys.Keys(source, Clock()).run()

    asyncio.run(run())
    assert waited == [keys.RETRY_SECONDS, keys.PERIOD_SECONDS, keys.PERIOD_SECONDS]
    assert source.fetches == 2
