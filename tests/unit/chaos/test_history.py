"""What the store says, read."""

import base64
import json
from typing import Any

import pytest

from tests.chaos import history
from tests.chaos.history import Change, HistoryError


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def event(key: str, value: str = "", *, revision: int = 7, gone: bool = False) -> dict[str, Any]:
    kv = {"key": encoded(key), "mod_revision": str(revision)} | ({"value": encoded(value)} if value else {})
    return {"kv": kv} | ({"type": "DELETE"} if gone else {})


def line(*events: dict[str, Any]) -> bytes:
    return json.dumps({"result": {"header": {"revision": "9"}, "events": list(events)}}).encode()


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("/registry/pods/agents/zaum-x-0-abcde", ("pods", "agents", "zaum-x-0-abcde")),
        ("/registry/priorityclasses/zaum-1", ("priorityclasses", "", "zaum-1")),
        ("/registry/services/specs/agents/zaum-x", ("services", "agents", "zaum-x")),
        ("/registry/services/endpoints/agents/zaum-x", None),
        ("/registry/zaum.dev/agentpolicies/agents/x", ("agentpolicies", "agents", "x")),
        ("/registry/secrets/agents/key", None),
        ("/elsewhere/pods/agents/x", None),
        ("compact_rev_key", None),
    ],
)
def test_a_key_says_what_is_stored_under_it(key: str, place: history.Place | None) -> None:
    assert history.place_of(key) == place


def test_a_write_and_a_removal_are_changes() -> None:
    read = history.changes(
        line(event("/registry/pods/a/b", '{"kind":"Pod"}'), event("/registry/pods/a/b", revision=8, gone=True)), at=5.0
    )
    assert read == [Change(7, 5.0, ("pods", "a", "b"), {"kind": "Pod"}), Change(8, 5.0, ("pods", "a", "b"), None)]


def test_what_is_not_judged_is_left_out() -> None:
    assert history.changes(line(event("/registry/secrets/a/b", "k8s\x00binary")), at=1.0) == []


def test_a_store_that_is_not_readable_is_an_error_and_not_an_empty_history() -> None:
    with pytest.raises(HistoryError, match="storage-media-type"):
        history.changes(line(event("/registry/pods/a/b", "k8s\x00binary")), at=1.0)


@pytest.mark.parametrize(
    "ended",
    [{"error": {"message": "compacted"}}, {"result": {"canceled": True}}, {"result": {"compact_revision": "3"}}],
)
def test_a_watch_that_ended_is_an_error(ended: dict[str, Any]) -> None:
    with pytest.raises(HistoryError, match="ended the watch"):
        history.changes(json.dumps(ended).encode(), at=1.0)
