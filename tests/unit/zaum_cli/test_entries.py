"""From requests to a route's `allow`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import documents
from zaum_cli.core import entries
from zaum_watchdog.core import routes

UUID = "123e4567-e89b-12d3-a456-426614174000"


def paths(*seen: str) -> list[str]:
    found, unsaid = entries.of(("GET", path) for path in seen)
    assert unsaid == []
    return [entry["path"] for entry in found]


def test_methods_of_one_path_are_one_entry() -> None:
    found, _ = entries.of([("POST", "/v1/chat"), ("GET", "/v1/models"), ("GET", "/v1/chat"), ("GET", "/v1/chat")])
    assert found == [
        {"methods": ["GET", "POST"], "path": "/v1/chat"},
        {"methods": ["GET"], "path": "/v1/models"},
    ]


@pytest.mark.parametrize(
    ("seen", "path"),
    [
        (f"/v1/files/{UUID}", "/v1/files/*"),
        (f"/v1/files/{UUID}/content", "/v1/files/*"),
        ("/v1/files/file-abc123DEF456xyz", "/v1/files/*"),
        ("/v1/threads/thread_abc123DEF456xyz/runs", "/v1/threads/*"),
        ("/commits/0123456789abcdef0123456789abcdef01234567", "/commits/*"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/models/gpt-4o-mini", "/v1/models/gpt-4o-mini"),
        ("/v1/models/claude-sonnet-4-5", "/v1/models/claude-sonnet-4-5"),
        ("/users/12", "/users/12"),
        ("/beef/deadbeefdeadbeef", "/beef/deadbeefdeadbeef"),
        (f"/{UUID}", f"/{UUID}"),
        ("/", "/"),
        ("/v1/", "/v1/"),
    ],
)
def test_an_id_is_collapsed_only_where_it_is_obvious(seen: str, path: str) -> None:
    assert paths(seen) == [path]


def test_numbers_are_ids_where_two_were_seen_in_one_place() -> None:
    assert paths("/users/12", "/users/13/mail", "/users/me") == ["/users/*"]
    assert paths("/users/12", "/users/12/mail", "/teams/13") == ["/teams/13", "/users/12", "/users/12/mail"]


def test_what_a_wider_entry_says_already_is_not_said_again() -> None:
    found, _ = entries.of([("GET", f"/files/{UUID}"), ("GET", "/files/list"), ("POST", "/files/list")])
    assert found == [{"methods": ["GET"], "path": "/files/*"}, {"methods": ["POST"], "path": "/files/list"}]


@pytest.mark.parametrize(("method", "path"), [("GET", "/a%20b"), ("TRACE", "/a"), ("GET", "/" + "x" * 300), ("", "")])
def test_what_no_entry_can_say_is_given_back(method: str, path: str) -> None:
    assert entries.of([(method, path)]) == ([], [(method, path)])


PART = st.sampled_from(["v1", "files", "12", "13", UUID, "file-abc123DEF456xyz", "me"])
PATH = st.lists(PART, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
METHOD = st.sampled_from(["GET", "POST", "DELETE"])


@given(st.lists(st.tuples(METHOD, PATH), max_size=12))
def test_whatever_was_seen_is_allowed_by_the_entries_and_by_none_of_their_subsets(seen: list[tuple[str, str]]) -> None:
    found, unsaid = entries.of(seen)
    assert unsaid == []
    allow = tuple(documents.Allowed(tuple(entry["methods"]), entry["path"]) for entry in found)
    made = [routes._entry(item, "allow") for item in allow]
    for method, path in seen:
        assert sum(entry.names(method, path) for entry in made) >= 1
    for one in made:
        rest = [other for other in made if other is not one]
        assert any(not any(other.names(*each) for other in rest) for each in seen if one.names(*each))
