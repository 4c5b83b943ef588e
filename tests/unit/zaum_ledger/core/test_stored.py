"""An account as bytes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.zaum_ledger.core import world
from zaum_api import incidents
from zaum_api.documents import Action, Fact
from zaum_api.reading import DocumentError
from zaum_ledger.core import accounts, conduct, standing, stored


def walked() -> accounts.Account:
    found = world.World(3)
    while not (found.ledger and found.ledger.account.lendings and found.ledger.account.books):
        found.step()
    return found.ledger.account


ACCOUNT = walked()
DOCUMENT: dict[str, Any] = json.loads(stored.dump(ACCOUNT))


def test_an_account_is_read_as_it_was_written() -> None:
    assert ACCOUNT.sessions
    assert stored.parse(stored.dump(ACCOUNT)) == ACCOUNT
    assert stored.parse(stored.dump(accounts.Account())) == accounts.Account()


def test_what_pods_followed_before_is_kept() -> None:
    name, session = next(iter(ACCOUNT.sessions.items()))
    before = replace(session.plan, generation=77, replicas=9)
    changed = replace(ACCOUNT, sessions={**ACCOUNT.sessions, name: replace(session, former=((before, 5),))})
    assert stored.parse(stored.dump(changed)) == changed
    document = json.loads(stored.dump(changed))
    document["sessions"][name]["former"] = [[9, 5]]
    with pytest.raises(DocumentError, match="former"):
        stored.parse(json.dumps(document).encode())


def test_what_is_to_be_contained_is_kept() -> None:
    kept = conduct.Conduct(
        {"uid-0": 5, "uid-1": 7},
        6,
        {"uid-1": conduct.Due("pod-1", "RunawayCPU", incidents.Action.KILL, 7, 1, (Fact("cpu", "90 %"),), 99)},
        (standing.Standing(8, Action.CUT, "demo-1", "Manual", "uid-0", 9),),
    )
    changed = replace(ACCOUNT, conduct=kept)
    assert stored.parse(stored.dump(changed)) == changed
    for part, odd in (("kills", []), ("due", {"uid": {}}), ("orders", [{}]), ("forgiven", -1)):
        document = json.loads(stored.dump(changed))
        document["conduct"][part] = odd
        with pytest.raises(DocumentError, match="conduct"):
            stored.parse(json.dumps(document).encode())
    document = json.loads(stored.dump(changed))
    document["conduct"]["orders"][0]["action"] = "dance"
    with pytest.raises(DocumentError, match="cut"):
        stored.parse(json.dumps(document).encode())


def test_equal_accounts_have_equal_bytes() -> None:
    assert stored.dump(stored.parse(stored.dump(ACCOUNT))) == stored.dump(ACCOUNT)


def test_pods_of_one_configuration_share_its_plan() -> None:
    assert len(ACCOUNT.sessions) > 1
    assert len(DOCUMENT["plans"]) == 1


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"version": 4}, "version", id="a later version"),
        pytest.param({"more": 1}, "more", id="a field that nobody knows"),
        pytest.param({"plans": []}, "plans", id="no plan though one is named"),
        pytest.param({"time": -1}, "time", id="a negative time"),
        pytest.param({"ordinals": {"x": 1}}, "x", id="an ordinal that is none"),
        pytest.param({"ordinals": []}, "ordinals", id="a list for an object"),
        pytest.param({"books": {"policy:tokens/week": {"charges": {}, "leases": {}}}}, "books", id="no such meter"),
        pytest.param({"books": {"policy:tokens/day": {"charges": {"1": -1}, "leases": {}}}}, "books", id="less than 0"),
        pytest.param({"books": {"policy:tokens/day": {"charges": {}, "leases": {"a": [1]}}}}, "books", id="no lease"),
        pytest.param({"lendings": {"x": {"said": {"0": [1]}}}}, "lendings", id="no promise"),
    ],
)
def test_what_is_not_whole_and_known_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(DocumentError) as refused:
        stored.parse(json.dumps({**DOCUMENT, **change}).encode())
    assert refused.value.place.startswith(place)
