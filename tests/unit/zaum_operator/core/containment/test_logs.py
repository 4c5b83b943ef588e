"""What an Incident keeps of an agent's log: short, printable, and none of what looks like a secret."""

import time

import pytest

from zaum_api import incidents
from zaum_operator.core.containment import logs

KEY = "sk-" + "a1B2" * 8


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("all is well\n", "all is well\n"),
        ("Authorization: Bearer abc def\nnext", "Authorization: [redacted]\nnext"),
        ('{"cookie": "a=b; c=d"}', '{"cookie": [redacted]'),
        (f"using {KEY} now", "using [redacted] now"),
        ("password=hunter22 and more", "password=[redacted] and more"),
        ('{"api_key": "0123456789"}', '{"api_key": "[redacted]"}'),
        ("DB_PASSWORD=hunter2", "DB_PASSWORD=[redacted]"),
        ("MYSQL_PWD=hunter2 POSTGRES_PASS=hunter2", "MYSQL_PWD=[redacted] POSTGRES_PASS=[redacted]"),
        (
            "AWS_SECRET_ACCESS_KEY=someLetters/aNdMore/anD7SomeEndOfThem\nnext",
            "AWS_SECRET_ACCESS_KEY=[redacted]\nnext",
        ),
        ("DefaultEndpoints;AccountKey=ab/cd+ef/gh==;Suffix", "DefaultEndpoints;AccountKey=[redacted];Suffix"),
        ("FERNET_KEY=ab/cd", "FERNET_KEY=[redacted]"),
        ('{"client_secret": "abcd-efgh", "id": "me"}', '{"client_secret": "[redacted]", "id": "me"}'),
        ("clientSecret: abcd-efgh", "clientSecret: [redacted]"),
        ("{'password': 'hunter2', 'id': 'me'}", "{'password': '[redacted]', 'id': 'me'}"),
        (r'"{\"refreshToken\": \"ab-cd\", \"id\": 1}"', r'"{\"refreshToken\": \"[redacted]\", \"id\": 1}"'),
        ('passphrase = "correct horse, battery"', 'passphrase = "[redacted]"'),
        (":db_password => hunter2", ":db_password => [redacted]"),
        (r'password: "a\"b\\c", next', 'password: "[redacted]", next'),
        (r"password=a\b\c", "password=[redacted]"),
        ("bearer=ab-cd", "bearer=[redacted]"),
        ('{"usage": {"total_tokens": 15230}}', '{"usage": {"total_tokens": 15230}}'),
        ("HTTP_AUTHORIZATION=Basic abc", "HTTP_AUTHORIZATION=[redacted]"),
        ("{'Cookie': 'a=b'}", "{'Cookie': [redacted]"),
        ("--db-password hunter2", "--db-password [redacted]"),
        ("prompt_tokens=1523 max_tokens: 4096", "prompt_tokens=1523 max_tokens: 4096"),
        ("tokens=ab-cd", "tokens=[redacted]"),
        ("monkey: banana, passed: 4000 tests", "monkey: banana, passed: 4000 tests"),
        ("https://ann:secretive@host.example/path", "https://[redacted]@host.example/path"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend", "[redacted]\nend"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and it is cut", "[redacted]"),
        ("a\x1b[31mred\x00\u202e", "a.[31mred.."),
        ("a-very-long-word-without-numbers", "a-very-long-word-without-numbers"),
    ],
)
def test_what_is_kept(text: str, kept: str) -> None:
    assert logs.kept(text) == kept


def test_the_end_is_kept_and_never_more_than_fits() -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    kept = logs.kept(text)
    assert len(kept) == incidents.LOGS_MAX
    assert kept.endswith("line 9999\n")
    assert len(logs.kept("x" * 10_000_000)) <= incidents.LOGS_MAX


def test_a_hostile_log_takes_no_time() -> None:
    begun = time.process_time()
    for text in (
        "-----BEGIN ", "authorization", "://", "token ", "token", "token:", "token_", "token   :  ", 'token="',
        "token=\\", "_key", "secret_access_key", "a1",
    ):  # fmt: skip
        assert len(logs.kept(text * 9000)) <= incidents.LOGS_MAX
    assert len(logs.kept("://" + "a" * 40_000)) <= incidents.LOGS_MAX
    assert time.process_time() - begun < 5, "some tenths of a second; what tries every way takes hours"
