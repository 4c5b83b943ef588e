"""What was printed, seen and stored is read as the accounts of a race."""

import json

from tests.races import agent, judge, reading
from zaum_api import documents
from zaum_ledger.core import accounts, books, stored

PRICE = {"input": 2_000_000, "cached": 500_000, "output": 8_000_000}


def test_a_call_is_read_from_its_two_lines_and_one_that_was_not_over_from_one() -> None:
    over = {"status": 200, "rule": "", "fault": "", "whole": True, "tokens": 7}
    lines = [{"call": "a.1", "begun": 1.0}, {"call": "a.2", "begun": 2.0}, {"call": "a.1", "ended": 3.0} | over]
    assert reading.calls([*lines, {"over": True}], "a") == [
        judge.Call("a.1", "a", 1.0, 3.0, 200, "", "", whole=True, tokens=7),
        judge.Call("a.2", "a", 2.0),
    ]


def test_the_witness_is_the_providers_books() -> None:
    told = {"call": "a.1", "model": "m", "input": 10, "cached": 4, "output": 3}
    nameless, free = told | {"call": ""}, told | {"input": 0, "output": 0}
    records = [{"t": 5.0, "detail": detail} for detail in (told, nameless, free, {"bytes": 4})]
    assert reading.done(records, PRICE) == [judge.Done("a.1", "a", 5.0, 13, 38)]
    assert reading.cost({"input": 1, "cached": 0, "output": 0}, PRICE | {"input": 1}) == 1, "rounded up"


def test_a_watchdogs_records_are_its_charges() -> None:
    request = {"kind": "request", "reservedTokens": 9, "tokens": 7, "cost": 70, "doubt": ""}
    records: list[reading.Object] = [request, {"kind": "request"}, {"kind": "decision"}]
    assert reading.charges(records, "a") == [judge.Charge("a", 7, 70, "")]


def test_a_backup_of_the_ledger_says_what_is_used_and_what_of_it_is_unproven() -> None:
    lease = books.Lease("one", 1, 50, spent=20)
    held = books.Book(documents.Window.DAY).lent("lease", books.Lease("one", 1, 50)).settled("lease", 20, 1000)
    assert held.leases["lease"] == lease
    account = accounts.Account(born=1, time=1000, books={"policy:cost/day": held})
    line = documents_line("agents/a", stored.dump(account))
    assert reading.book(["{}", line], "agents/a", "policy:cost/day") == judge.Book(50, 30)
    assert reading.book([line], "agents/b", "policy:cost/day") == judge.Book(0, 0)


def documents_line(key: str, value: bytes) -> str:
    """Write a line as a backup has it."""
    return json.dumps({"key": key, "at": 1, "value": value.decode()})


def test_what_an_answer_says_was_used_is_read_in_every_form() -> None:
    chat = 'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}\n\ndata: [DONE]\n'
    assert agent.counted("openai", chat) == 5
    assert agent.counted("openai", '{"usage": {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}}') == 5
    responses = 'event: x\ndata: {"response": {"usage": {"total_tokens": 6}}}\n'
    assert agent.counted("openai", responses) == 6
    begun = 'data: {"message": {"usage": {"input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 1}}}\n'
    assert agent.counted("anthropic", begun + 'data: {"usage": {"output_tokens": 9}}\n') == 15
    assert agent.counted("openai", "data: {}") is None
