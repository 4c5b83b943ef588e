"""Routes that redact: what the provider gets, and what the agent gets back."""

import dataclasses
import json
from typing import Any

import pytest

from tests.integration.watchdog import metering, rig, upstream
from tests.integration.watchdog.test_routes import api, gateway
from tests.support.authority import Authority
from zaum_api import documents

__all__ = ["api", "gateway"]

EMAIL = "ada.lovelace@example.org"
OTHER = "grace.hopper@example.net"
CARD = "4111 1111 1111 1111"
TOKENISE, MASK, DENY = documents.Redact.TOKENISE, documents.Redact.MASK, documents.Redact.DENY
BOTH = documents.Redaction(
    documents.Classes(email=TOKENISE, cards=MASK, iban=DENY), documents.Classes(email=MASK, iban=DENY)
)


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    route = dataclasses.replace(metering.OPENAI, redact=BOTH, models=("world-1",))
    plain = dataclasses.replace(metering.OPENAI, name="plain", api="HTTP", redact=BOTH, prices=())
    return dataclasses.replace(config, routes=(route, plain), upstream_ca_pem=authority.pem)


def said(text: str, **more: Any) -> bytes:
    return metering.body("chat", messages=[{"role": "user", "content": text}], **more)


def mirrored(api: upstream.Upstream, *, pieces: int = 1, kind: str = "application/json", more: str = "") -> list[str]:
    """Answer with what was asked, and with more; give what was asked."""
    heard: list[str] = []

    def answer(asked: upstream.Asked) -> None:
        text = json.loads(asked.body)["messages"][0]["content"]
        heard.append(text)
        if kind == "text/event-stream":
            parts = [text[at : at + 3] for at in range(0, len(text), 3)] + [more]
            events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
            whole = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        else:
            whole = json.dumps({"choices": [{"message": {"content": text + more}}]})
        raw = whole.encode()
        asked.send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(raw)}\r\n\r\n".encode())
        for at in range(0, len(raw), max(1, len(raw) // pieces)):
            asked.send(raw[at : at + max(1, len(raw) // pieces)])

    api.answer = answer
    return heard


@pytest.mark.parametrize("pieces", [1, 9])
def test_a_value_leaves_as_a_name_and_comes_back_as_itself(
    watchdog: rig.Watchdog, api: upstream.Upstream, pieces: int
) -> None:
    heard = mirrored(api, pieces=pieces, more=f" or {OTHER}")
    answer = metering.call(watchdog, "chat", raw=said(f"Write to {EMAIL}, card {CARD}."))
    assert answer is not None
    assert EMAIL not in heard[0]
    assert CARD not in heard[0]
    assert heard[0].startswith("Write to <zaum:email:")
    assert api.asked[0].header("content-length") == [str(len(api.asked[0].body))]
    assert answer.json["choices"][0]["message"]["content"] == f"Write to {EMAIL}, card ********. or ********"
    done = watchdog.record("request")
    assert done["redacted"] == {"request": {"card": 1, "email": 1}, "response": {"email": 1}}
    assert done["model"] == "world-1"


def test_a_stream_that_is_cut_anywhere_is_redacted_too(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    mirrored(api, pieces=50, kind="text/event-stream", more=f" or {OTHER} too")
    answer = metering.call(watchdog, "chat", raw=said(f"Write to {EMAIL} at once.", stream=True))
    assert answer is not None
    events = [json.loads(line[6:]) for line in answer.body.decode().split("\n") if line.startswith("data: {")]
    text = "".join(event["choices"][0]["delta"]["content"] for event in events)
    assert text == f"Write to {EMAIL} at once. or ******** too"
    assert OTHER.encode() not in answer.body


def test_what_is_denied_does_not_leave(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    mirrored(api)
    answer = metering.call(watchdog, "chat", raw=said("Pay to DE89 3704 0044 0532 0130 00."))
    assert answer is not None
    assert (answer.status, answer.rule) == (403, "routes.redact")
    assert "iban" in answer.json["error"]["message"]
    assert not api.asked


def test_an_answer_that_holds_what_is_denied_is_refused(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    mirrored(api, more=" DE89 3704 0044 0532 0130 00")
    answer = metering.call(watchdog, "chat", raw=said("Where to?"))
    assert answer is None or b"0532 0130" not in answer.body
    assert watchdog.record("request")["rule"] == "routes.redact"


def test_a_large_body_passes_whole_on_a_route_of_any_api(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    heard = mirrored(api, pieces=40)
    text = "A line of text without anything in it. " * 20_000 + EMAIL
    raw = said(text)
    answer = metering.call(watchdog, "chat", raw=raw, path="/plain/chat/completions")
    assert answer is not None
    assert heard[0].startswith(text[: -len(EMAIL)] + "<zaum:email:")
    assert answer.json["choices"][0]["message"]["content"] == text
    assert watchdog.metric("zaum_loop_held_max_seconds") < 0.02


def test_a_compressed_body_is_refused_because_nothing_can_be_found_in_it(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    answer = metering.call(watchdog, "chat", raw=b"x", path="/plain/chat/completions", content_encoding="gzip")
    assert answer is not None
    assert (answer.status, answer.rule) == (415, "request.contentType")
    assert not api.asked
