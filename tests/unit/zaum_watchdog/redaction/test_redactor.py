import json

import pytest

from tests.redaction import bodies
from zaum_api import documents
from zaum_watchdog.core.redaction import redactor, searching, vault
from zaum_watchdog.core.redaction.classes import Kind
from zaum_watchdog.core.redaction.redactor import Format

NAME = r"<zaum:[a-z]+:[a-z2-7]{12}>"
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + "aB3+" * 3] * 6)
    + "\n-----END PRIVATE KEY-----"
)


def test_values_are_masked_and_all_the_rest_stays_byte_for_byte(prefilter: searching.Prefilter) -> None:
    body = b'{ "a" :\t"\\u00e9 bob@example.com, \\/ 4111-1111-1111-1111" , "b":[1.50,2e3], "c": "\\ud83d\\ude00" }\n'
    out = bodies.Run(prefilter, bodies.MASKING, Format.JSON).over(body)
    assert out == b'{ "a" :\t"\\u00e9 ********, \\/ ********" , "b":[1.50,2e3], "c": "\\ud83d\\ude00" }\n'


@pytest.mark.parametrize(
    "written",
    [
        b'"bob\\u0040example.com"',
        b'"bob@example.com"',
        b'"{\\"mail\\":\\"bob@example.com\\"}"',
        b'"{\\"mail\\":\\"bob\\\\u0040example.com\\"}"',
        b'"x\\nbob@example.com\\n"',
        b'"\\\\nbob@example.com"',
        b'{"bob@example.com":1}',
        b'"b\\u006fb@example\\u002ecom"',
    ],
)
def test_escapes_hide_nothing(written: bytes, prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter, bodies.MASKING, Format.JSON)
    out = run.over(written)
    assert run.redactor.findings.found == {Kind.EMAIL: 1}
    assert b"********" in out
    assert b"example" not in out
    json.loads(out)


def test_a_number_that_is_a_card_becomes_a_string(prefilter: searching.Prefilter) -> None:
    body = b'{"s":"a \\" b","n":4111111111111111,"l":[4111111111111111,"4111111111111111"],"x":0.4111111111111111}'
    out = bodies.Run(prefilter, bodies.MASKING, Format.JSON).over(body)
    said = {"s": 'a " b', "n": "*" * 8, "l": ["*" * 8, "*" * 8], "x": 0.4111111111111111}
    assert json.loads(out) == said


def test_the_same_value_has_the_same_name_and_only_within_a_pod(prefilter: searching.Prefilter) -> None:
    body = b"bob@example.com; ann@example.com; bob@example.com"
    first, second, third = bodies.Run(prefilter).over(body).split(b"; ")
    assert first == third != second
    assert first.startswith(b"<zaum:email:")
    other = bodies.Run(prefilter, names=vault.Vault(b"another")).over(body)
    assert not other.startswith(first)


def test_a_name_is_turned_back_on_the_way_to_the_agent(prefilter: searching.Prefilter) -> None:
    names = vault.Vault(bodies.KEY)
    asked = bodies.Run(prefilter, names=names).over(b"mail bob@example.com")
    answer = json.dumps({"text": f"I wrote to {asked[5:].decode()}!"}).encode().replace(b"<", b"\\u003c")
    run = bodies.Run(prefilter, bodies.ANSWERING, Format.JSON, names)
    assert json.loads(run.over(answer)) == {"text": "I wrote to bob@example.com!"}
    assert run.redactor.findings.restored == 1
    assert not run.redactor.findings.found


def test_what_an_upstream_sent_is_turned_back_for_cleared_routes_alone(prefilter: searching.Prefilter) -> None:
    names = vault.Vault(bodies.KEY)
    seen = bodies.Run(prefilter, bodies.ANSWERING, names=names).over(b"owner: eve@example.com")
    assert b"eve" not in seen
    # Not by an echo of another upstream, nor by a route that is not cleared.
    assert bodies.Run(prefilter, bodies.ANSWERING, names=names).over(seen) == seen
    assert bodies.Run(prefilter, bodies.ASKING, names=names).over(seen) == seen
    assert bodies.Run(prefilter, bodies.CLEARED, names=names).over(seen) == b"owner: eve@example.com"


def test_a_value_that_the_agent_sent_as_well_is_its_own(prefilter: searching.Prefilter) -> None:
    names = vault.Vault(bodies.KEY)
    bodies.Run(prefilter, bodies.ASKING, names=names).over(b"eve@example.com")
    seen = bodies.Run(prefilter, bodies.ANSWERING, names=names).over(b"eve@example.com")
    assert bodies.Run(prefilter, bodies.ANSWERING, names=names).over(seen) == b"eve@example.com"


def test_a_name_that_nobody_gave_stays(prefilter: searching.Prefilter) -> None:
    guess = b"<zaum:email:aaaaaaaaaaaa> <zaum:x> <"
    assert bodies.Run(prefilter, bodies.CLEARED).over(guess) == guess


@pytest.mark.parametrize("cut", [0, 5, 18, 24])
def test_what_is_denied_goes_no_further(cut: int, prefilter: searching.Prefilter) -> None:
    plan = redactor.request(documents.Redaction(request=documents.Classes(cards=bodies.DENY, email=bodies.MASK)))
    run = bodies.Run(prefilter, plan)
    out = run.over(b"a@b.example, 4111111111111111, and more", [cut])
    assert run.redactor.findings.denied is Kind.CARD
    assert b"4111" not in out
    assert b"more" not in out
    assert run.feed(b"anything") == b""


def test_what_is_off_passes(prefilter: searching.Prefilter) -> None:
    plan = redactor.request(documents.Redaction(request=documents.Classes(phone=bodies.MASK)))
    body = b"bob@example.com 4111 1111 1111 1111 or DE89 3704 0044 0532 0130 00, (212) 555-0123 " + KEY.encode()
    assert bodies.Run(prefilter, plan).over(body) == body.replace(b"(212) 555-0123", b"********")


def test_a_plan_of_nothing_is_idle() -> None:
    assert redactor.request(documents.Redaction()).idle
    assert not bodies.CLEARED.idle
    assert not redactor.response(documents.Redaction()).idle  # names are turned back


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON])
def test_a_private_key_is_named_whole_and_turned_back_where_it_stood(
    form: Format, prefilter: searching.Prefilter
) -> None:
    names = vault.Vault(bodies.KEY)
    body = KEY.encode() if form is Format.TEXT else json.dumps({"k": KEY, "nested": json.dumps({"k": KEY})}).encode()
    asked = bodies.Run(prefilter, form=form, names=names).over(body, range(0, len(body), 17))
    assert b"MII" not in asked
    assert bodies.Run(prefilter, bodies.ANSWERING, form, names).over(asked) == body


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON])
@pytest.mark.parametrize("step", [1 << 20, 1000])
def test_a_private_key_of_any_length_is_masked_with_its_end(
    step: int, form: Format, prefilter: searching.Prefilter
) -> None:
    body = b'"a\n-----BEGIN RSA PRIVATE KEY-----\n' + b"aB3+dE6/" * 12000 + b'\n-----END RSA PRIVATE KEY-----\nb"'
    out = bodies.Run(prefilter, form=form).over(body, range(step, len(body), step))
    assert out == b'"a\n********\nb"'


def test_what_follows_a_long_key_that_breaks_off_stays(prefilter: searching.Prefilter) -> None:
    body = b"-----BEGIN PRIVATE KEY-----\n" + b"aB3+dE6/" * 3000 + b"! and bob@example.com"
    for step in (1 << 20, 999):
        out = bodies.Run(prefilter, bodies.MASKING).over(body, range(step, len(body), step))
        assert out == b"********! and ********"


@pytest.mark.parametrize("behind", ["", "\n\n", "\n[cut]", '"'])
def test_a_private_key_that_breaks_off_is_masked_as_far_as_it_goes(behind: str, prefilter: searching.Prefilter) -> None:
    body = (KEY[:200] + behind).encode()
    out = bodies.Run(prefilter, bodies.MASKING).over(body)
    assert out.startswith(b"********")
    assert b"MII" not in out
    assert out.endswith(behind.strip("\n").encode())


def test_a_value_of_a_kib_is_found_in_a_text_without_breaks(prefilter: searching.Prefilter) -> None:
    for before in (0, 6000, 7100, 7160, 8000, 8190, 9000, 20000):
        body = b"=" * before + b"sk-proj-" + b"aB3dE6gH9jK2" * 10 + b"=" * 9000
        out = bodies.Run(prefilter, bodies.MASKING).over(body)
        assert out == b"=" * before + b"********" + b"=" * 9000, before


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (b"application/json", Format.JSON),
        (b"Application/JSON; charset=utf-8", Format.JSON),
        (b"application/problem+json", Format.JSON),
        (b"application/x-ndjson", Format.JSON),
        (b"text/event-stream;charset=utf-8", Format.EVENTS),
        (b"text/plain", Format.TEXT),
        (b"", Format.TEXT),
    ],
)
def test_the_content_type_says_what_a_body_is_written_in(content_type: bytes, form: Format) -> None:
    assert Format.of(content_type) is form


def test_a_find_has_no_value_in_what_is_said_of_it(prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter)
    run.over(b"bob@example.com and 4111111111111111")
    assert run.redactor.findings.found == {Kind.EMAIL: 1, Kind.CARD: 1}
    assert "bob" not in repr(run.redactor.findings)


def test_text_flows_while_nothing_can_be_a_value(prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter, form=Format.JSON)
    assert run.feed(b'{"content":"Hello, my dear wor') == b'{"content":"Hello, my dear '
    assert run.feed(b"ld and all ") == b"world and all "
    assert run.feed(b"4111 1111 ") == b""
    assert run.feed(b'1111 1112 no card"}') == b'4111 1111 1111 1112 no card"}'


@pytest.mark.parametrize(
    "body",
    [
        b"a" * 100_000,
        b"4111 " * 20_000,
        b"\\" * 100_000,
        b"<" * 100_000,
        b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 100_000,
    ],
)
def test_what_is_held_is_bounded(body: bytes, prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter)
    for at in range(0, len(body), 4096):
        run.feed(body[at : at + 4096])
        assert len(run.redactor._held) <= 32 * 1024
