"""Metered calls: what the watchdog charges is what the provider's books say, and never less."""

import dataclasses
import itertools
from collections.abc import Iterator

import pytest

from tests.cluster.world import provider
from tests.cluster.world.provider import Fault
from tests.integration.watchdog import conftest, metering, rig, upstream
from tests.support.authority import Authority
from zaum_api import contract, documents


@pytest.fixture
def api(authority: Authority) -> Iterator[upstream.Upstream]:
    running = upstream.Upstream(authority.server(conftest.NAMED))
    yield running
    running.server.close()


@pytest.fixture
def ledger(authority: Authority) -> Iterator[metering.Ledger]:
    running = metering.Ledger(authority.server(contract.LEDGER_TLS_NAME))
    yield running
    running.server.close()


@pytest.fixture
def gateway(authority: Authority, api: upstream.Upstream, ledger: metering.Ledger) -> Iterator[metering.Gateway]:
    running = metering.Gateway(authority.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
    running.ledger = ledger
    yield running
    running.server.close()


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    return dataclasses.replace(
        config,
        routes=(metering.OPENAI, metering.ANTHROPIC),
        upstream_ca_pem=authority.pem,
        limits=metering.limits((*metering.TOKENS_DAY, 50_000_000), (*metering.COST_DAY, 2_000_000_000)),
        ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem),
    )


@pytest.fixture
def watchdog(start: conftest.Start, files: rig.Files) -> rig.Watchdog:
    return started(start, files)


def started(start: conftest.Start, files: rig.Files, **changes: object) -> rig.Watchdog:
    """Start one that the ledger has answered."""
    token = files.directory / "ledger-token"
    token.write_text("ledger-token-1")
    watchdog = start(arguments=("--ledger-token", str(token)), **changes)
    watchdog.record("ledger")
    return watchdog


@pytest.fixture
def books(api: upstream.Upstream) -> metering.Provider:
    return metering.Provider(api)


KINDS = [
    (kind, stream)
    for kind, stream in itertools.product(metering.PATHS, (False, True))
    if not (kind == "embeddings" and stream)
]
NEVER_GZIPPED = "the watchdog asks for no coding, but an upstream may use one"


@pytest.mark.parametrize(("kind", "stream"), KINDS)
def test_i07_each_call_is_charged_what_the_provider_charges_and_never_less(
    watchdog: rig.Watchdog, books: metering.Provider, ledger: metering.Ledger, kind: str, stream: bool
) -> None:
    done_all = []
    for fault, say in itertools.product(Fault, ("1", "40")):
        raw = metering.body(kind, **({"stream": True} if stream else {}))
        metering.call(watchdog, kind, raw=raw, x_fault=fault.value, x_say=say)
        done = watchdog.record("request")
        done_all.append(done)
        used = books.used.pop()
        assert not books.used, "one call, once"
        said = (fault, done["doubt"])
        if fault in provider.ENDS_WELL:
            assert (done["tokens"], done["cost"], done["doubt"]) == (used.tokens, metering.cost(used), ""), said
        else:
            assert done["doubt"], said
            assert done["tokens"] >= max(used.tokens, done["reservedTokens"]), said
            assert done["cost"] >= max(metering.cost(used), done["reservedCost"]), said
        assert done["reservedTokens"] >= used.tokens
        assert done["model"] == "world-1"
    charged = sum(each["tokens"] for each in done_all), sum(each["cost"] for each in done_all)
    watchdog.stop()
    assert (ledger.spent("policy:tokens/day"), ledger.spent("policy:cost/day")) == charged
    assert (ledger.counters.tokens, ledger.counters.cost) == charged
    assert not [found for found in watchdog.drained() if found["kind"] == "request"], "exactly one record for each"
