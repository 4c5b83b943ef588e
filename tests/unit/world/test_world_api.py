"""The world's API: what it repeats, streams and redirects to; and the shelf beside it."""

import asyncio
import base64
import json
import pathlib
from typing import Any

import pytest

from tests.cluster.world import anthropic, api, http1, llm, shelf

KEY = "sk-0123456789"


def get(target: str, headers: dict[str, str] | None = None) -> http1.Answer:
    return api.respond(http1.Request(method="GET", target=target, headers=headers or {}))


def whole(answer: http1.Answer) -> list[bytes]:
    async def collect() -> list[bytes]:
        assert not isinstance(answer.body, bytes)
        return [part async for part in answer.body]

    return asyncio.run(collect())


def test_headers_come_back_as_they_were_sent() -> None:
    answer = get("/v1/headers", {"authorization": f"Bearer {KEY}"})
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"authorization": f"Bearer {KEY}"}


def test_headers_come_back_backwards() -> None:
    answer = get("/v1/headers/backwards", {"authorization": f"Bearer {KEY}"})
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"authorization": f"Bearer {KEY}"[::-1]}


@pytest.mark.parametrize("header", api.CREDENTIAL_HEADERS)
def test_the_credential_is_repeated_whole_encoded_and_in_a_header(header: str) -> None:
    sent = {header: f"Bearer {KEY}" if header == "authorization" else KEY}
    plain, encoded = get("/v1/credential", sent), get("/v1/credential/base64", sent)
    assert isinstance(plain.body, bytes)
    assert isinstance(encoded.body, bytes)
    assert KEY.encode() in plain.body
    assert base64.b64encode(KEY.encode()) in encoded.body
    assert get("/v1/credential/header", sent).headers == {"X-Sent": KEY}


def test_a_split_credential_lies_across_two_chunks() -> None:
    parts = whole(get("/v1/credential/split", {"x-api-key": KEY}))
    assert KEY.encode() in b"".join(parts)
    assert all(KEY.encode() not in part for part in parts)


def test_events_and_lines_come_one_by_one() -> None:
    assert len(whole(get("/v1/events?n=2"))) == 2
    assert whole(get("/v1/chunks?n=2")) == [b"line 0\n", b"line 1\n"]


def test_a_redirect_leads_where_it_is_told_to_and_to_the_outlaw_by_itself() -> None:
    assert get("/v1/redirect?to=https://a.example/&status=307").headers == {"Location": "https://a.example/"}
    assert get("/v1/redirect").headers["Location"].startswith("https://outlaw.")
    assert get("/v1/redirect?status=200").status == 400
    assert "h3=" in get("/v1/alternative").headers["Alt-Svc"]
    assert get("/v1/nothing").status == 404


MESSAGES = {"model": "world-1", "max_tokens": 3, "messages": [{"role": "user", "content": "one two three"}]}
CALLER = {"x-api-key": "placeholder", "anthropic-version": "2023-06-01"}


def message(document: Any, headers: dict[str, str] = CALLER) -> http1.Answer:
    body = json.dumps(document).encode()
    return llm.respond(http1.Request(method="POST", target=anthropic.PATH, headers=headers, body=body))


def test_a_message_is_repeated_up_to_the_limit() -> None:
    answer = message(MESSAGES)
    assert isinstance(answer.body, bytes)
    found = json.loads(answer.body)
    assert (found["content"][0]["text"], found["usage"]["output_tokens"]) == ("You said: one", 3)


def test_a_streamed_message_ends_with_its_last_event() -> None:
    parts = whole(message(MESSAGES | {"stream": True}))
    assert parts[0].startswith(b"event: message_start\n")
    assert parts[-1].startswith(b"event: message_stop\n")


@pytest.mark.parametrize(
    ("document", "headers", "status"),
    [
        (MESSAGES, {}, 401),
        (MESSAGES, {"x-api-key": "a"}, 400),
        ({}, CALLER, 400),
        (MESSAGES | {"model": "none"}, CALLER, 404),
    ],
)
def test_a_call_that_breaks_the_api_s_rules_is_refused(document: Any, headers: dict[str, str], status: int) -> None:
    assert message(document, headers).status == status


def test_the_shelf_gives_what_was_laid_on_it_and_nothing_beside_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text("no")
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/a.json").write_text("{}")
    found = shelf.Shelf(tmp_path / "shelf")

    def status(target: str) -> int | None:
        answer = found.find(http1.Request(method="GET", target=target, headers={}))
        return None if answer is None else answer.status

    assert status("/shelf/a.json") == 200
    assert status("/shelf/b.json") == 404
    assert status("/shelf/../secret") is None
    assert status("/") is None
