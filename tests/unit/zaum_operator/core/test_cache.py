"""The cache: whatever comes in whatever order, it shows the newest that was said, and forgets what is gone."""

import copy
import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.properties import examples
from zaum_operator.core import cache as caching
from zaum_operator.core import kinds
from zaum_operator.core.cache import Cache, Change
from zaum_operator.core.keys import Key

OWNER = {"apiVersion": "zaum.dev/v1alpha1", "kind": "AgentPolicy", "name": "a", "uid": "p", "controller": True}


def config(version: int, *, uid: str = "u1", value: str = "x", name: str = "zaum-a", **metadata: Any) -> dict[str, Any]:
    labels = {"zaum.dev/policy": "a"}
    marked = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version), "labels": labels} | metadata
    return {"kind": "ConfigMap", "metadata": marked, "data": {"config.json": value}}


def shown(cache: Cache) -> str | None:
    found = cache.get(kinds.CONFIG_MAP, "n", "zaum-a")
    return None if found is None else found["data"]["config.json"]


def replaced(cache: Cache, listed: list[dict[str, Any]], *, at: int, namespace: str = "") -> tuple[dict[str, Any], ...]:
    """Take in a whole list as the store does, and give what it changed."""
    changed = [obj for obj in listed if cache.put(kinds.CONFIG_MAP, obj) is Change.CONTENT]
    there = {caching.place_of(kinds.CONFIG_MAP, obj) for obj in listed}
    return (*changed, *cache.retain(kinds.CONFIG_MAP, there, at=at, namespace=namespace))


def test_an_older_version_changes_nothing() -> None:
    cache = Cache()
    assert cache.put(kinds.CONFIG_MAP, config(10, value="new")) is Change.CONTENT
    assert cache.put(kinds.CONFIG_MAP, config(9, value="old")) is Change.NOTHING
    assert cache.put(kinds.CONFIG_MAP, config(10, value="twice")) is Change.NOTHING
    assert shown(cache) == "new"


def test_versions_are_numbers_not_words() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(9, value="old"))
    assert cache.put(kinds.CONFIG_MAP, config(10, value="new")) is Change.CONTENT


def test_a_version_in_which_nothing_changed_makes_nobody_look() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10))
    assert cache.put(kinds.CONFIG_MAP, config(11, managedFields=[{"manager": "x"}])) is Change.VERSION
    assert cache.put(kinds.CONFIG_MAP, config(10, value="late")) is Change.NOTHING


def test_a_deleted_object_does_not_come_back_by_a_late_event() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10))
    assert cache.drop(kinds.CONFIG_MAP, config(12)) is Change.CONTENT
    assert cache.put(kinds.CONFIG_MAP, config(11)) is Change.NOTHING
    assert shown(cache) is None


def test_a_deletion_that_comes_before_what_it_deletes_counts_all_the_same() -> None:
    cache = Cache()
    assert cache.drop(kinds.CONFIG_MAP, config(12)) is Change.NOTHING
    assert cache.put(kinds.CONFIG_MAP, config(10)) is Change.NOTHING


def test_what_was_only_not_selected_for_a_while_comes_back() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10))
    cache.drop(kinds.CONFIG_MAP, config(12))
    assert cache.put(kinds.CONFIG_MAP, config(13)) is Change.CONTENT


def test_a_deletion_of_an_earlier_one_does_not_take_its_successor() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(20, uid="u2"))
    assert cache.drop(kinds.CONFIG_MAP, config(12, uid="u1")) is Change.NOTHING
    assert shown(cache) == "x"


def test_what_the_api_server_confirmed_as_gone_never_comes_back() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10))
    assert cache.forget(kinds.CONFIG_MAP, ("n", "zaum-a"), uid="u1") is Change.CONTENT
    assert cache.put(kinds.CONFIG_MAP, config(99)) is Change.NOTHING


def test_a_list_takes_away_what_is_missing_but_not_what_is_newer_than_it() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10, name="zaum-b", uid="u2"))
    cache.put(kinds.CONFIG_MAP, config(30))
    changed = replaced(cache, [config(15, name="zaum-c", uid="u3")], at=20)
    assert sorted(obj["metadata"]["name"] for obj in changed) == ["zaum-b", "zaum-c"]
    assert [obj["metadata"]["name"] for obj in cache.all(kinds.CONFIG_MAP)] == ["zaum-a", "zaum-c"]


def test_a_list_of_one_namespace_says_nothing_of_others() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(1))
    assert replaced(cache, [], at=9, namespace="other") == ()
    assert len(replaced(cache, [], at=9, namespace="n")) == 1


def test_objects_are_found_by_owner_and_by_label_while_they_have_them() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(1, ownerReferences=[OWNER], labels={"zaum.dev/policy": "b"}))
    assert all(len(cache.of_policy(kinds.CONFIG_MAP, Key("n", name))) == 1 for name in "ab")
    cache.put(kinds.CONFIG_MAP, config(2))
    assert cache.of_policy(kinds.CONFIG_MAP, Key("n", "b")) == ()
    assert cache.policies(kinds.CONFIG_MAP) == {Key("n", "a")}


@pytest.mark.parametrize(
    ("name", "owners", "loose"), [("zaum-a", [OWNER], 0), ("zaum-a", [], 1), ("zaum-b", [OWNER], 1), ("any", [], 1)]
)
def test_loose_are_those_that_no_policy_owns_under_its_name(name: str, owners: list[Any], loose: int) -> None:
    cache = Cache()
    cache.put(kinds.NETWORK_POLICY, config(1, name=name, ownerReferences=owners))
    assert len(cache.loose(kinds.NETWORK_POLICY, "n")) == loose


def test_nothing_is_shared_with_what_came_in() -> None:
    cache = Cache()
    one = config(1)
    cache.put(kinds.CONFIG_MAP, one)
    one["data"]["config.json"] = "changed by its owner"
    assert shown(cache) == "x"


def test_tombstones_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "TOMBSTONES", 2)
    cache = Cache()
    for number in range(4):
        cache.drop(kinds.CONFIG_MAP, config(9, uid=f"u{number}"))
    assert cache.put(kinds.CONFIG_MAP, config(8, uid="u3")) is Change.NOTHING
    assert len(cache._gone) == 2


HISTORY = st.lists(st.sampled_from(["edit", "delete", "make"]), max_size=12)


@given(HISTORY, st.data())
@settings(max_examples=examples(200))
def test_in_whatever_order_events_come_the_last_word_of_the_server_stands(
    history: list[str], data: st.DataObject
) -> None:
    """Lost, doubled and reordered events, and a list at the end: the cache shows what the server has."""
    version, uid, live = 1, 1, config(1, uid="u1")
    said: list[tuple[str, dict[str, Any]]] = [("put", live)]
    there = True
    for step in history:
        version += 1
        if step == "delete" and there:
            there = False
            said.append(("drop", config(version, uid=f"u{uid}")))
        elif step == "make" and not there:
            uid, there = uid + 1, True
            said.append(("put", config(version, uid=f"u{uid}", value=str(version))))
        elif step == "edit" and there:
            said.append(("put", config(version, uid=f"u{uid}", value=str(version))))
    truth = said[-1][1]["data"]["config.json"] if said[-1][0] == "put" else None
    cache = Cache()
    shuffled = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=3))))
    complete = data.draw(st.booleans())
    heard = shuffled if complete else shuffled[: data.draw(st.integers(0, len(shuffled)))]
    for what, obj in heard:
        cache.put(kinds.CONFIG_MAP, copy.deepcopy(obj)) if what == "put" else cache.drop(kinds.CONFIG_MAP, obj)
    if complete:
        assert shown(cache) == truth
    replaced(cache, [said[-1][1]] if said[-1][0] == "put" else [], at=version)
    assert shown(cache) == truth


def test_who_changes_what_the_cache_gave_out_changes_nothing_in_it() -> None:
    cache = Cache()
    cache.put(kinds.CONFIG_MAP, config(10, value="mine"))
    found = cache.get(kinds.CONFIG_MAP, "n", "zaum-a")
    assert found is not None
    found["data"]["config.json"] = "changed"
    assert shown(cache) == "mine"


def test_a_thousand_objects_give_the_cyclic_collector_next_to_nothing_to_walk() -> None:
    """A walk stops the loop: it must not grow with all that is in every object."""
    cache, count = Cache(), 1_000
    gc.collect()
    before = len(gc.get_objects())
    for number in range(count):
        obj = config(1, name=f"zaum-{number}", uid=f"u{number}", annotations={str(n): [{"a": "b"}] for n in range(50)})
        cache.put(kinds.CONFIG_MAP, obj)
    del obj
    gc.collect()
    assert len(gc.get_objects()) - before < 5 * count


def test_places_are_known_without_a_look_at_the_objects() -> None:
    cache = Cache()
    for name in ("zaum-b", "zaum-a"):
        cache.put(kinds.CONFIG_MAP, config(1, name=name, uid=name))
    assert cache.places(kinds.CONFIG_MAP) == [("n", "zaum-a"), ("n", "zaum-b")] == cache.places(kinds.CONFIG_MAP, "n")
    assert cache.places(kinds.CONFIG_MAP, "other") == []


def test_a_kind_that_is_kept_plain_is_given_out_as_it_is() -> None:
    cache = Cache(frozenset({kinds.CONFIG_MAP}))
    assert cache.put(kinds.CONFIG_MAP, config(10)) is Change.CONTENT
    assert cache.put(kinds.CONFIG_MAP, config(11)) is Change.VERSION
    assert cache.put(kinds.CONFIG_MAP, config(12, value="new")) is Change.CONTENT
    assert cache.get(kinds.CONFIG_MAP, "n", "zaum-a") is cache.get(kinds.CONFIG_MAP, "n", "zaum-a")
    assert shown(cache) == "new"
