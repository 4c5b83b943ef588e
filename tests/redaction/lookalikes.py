"""What only looks like a value of a class: the hard negatives of each."""

import base64
import string
import uuid
from collections.abc import Callable
from random import Random
from typing import Final

from tests.redaction import values
from zaum_watchdog.core.redaction.classes import Kind

_HEX: Final = "0123456789abcdef"


def _digits(dice: Random, count: int) -> str:
    return values.some(dice, string.digits, count)


def _uuid(dice: Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def card(dice: Random) -> str:
    digits = values.card_digits(dice)
    wrong = digits[:-1] + str((int(digits[-1]) + dice.randint(1, 9)) % 10)
    return values.one_of(
        dice,
        [
            lambda: wrong,
            lambda: values.grouped(wrong, dice.choice(" -")),
            lambda: "0." + digits,
            lambda: f"{digits}{_digits(dice, 8)}",
            lambda: f"{_digits(dice, 5)}{digits}",
            lambda: "a" + digits,
            lambda: digits + "px",
            lambda: (
                f"{_digits(dice, 8)}-{_digits(dice, 4)}-4{_digits(dice, 3)}-8{_digits(dice, 3)}-{_digits(dice, 12)}"
            ),
            lambda: str(1_700_000_000_000 + dice.randrange(10**10)),
            lambda: str(1_700_000_000_000_000 + dice.randrange(10**13)),
            lambda: "978" + _digits(dice, 10),
            lambda: "40" + _digits(dice, 11),
            lambda: "1" + _digits(dice, 15),
            lambda: "0" * 16,
            lambda: "4" * 16,
            lambda: " ".join(str(year) for year in range(2011, 2019)),
            lambda: _digits(dice, 16),
        ],
    )


def iban(dice: Random) -> str:
    plain = values.iban_plain(dice)
    wrong = plain[:2] + f"{(int(plain[2:4]) + dice.randint(1, 90)) % 97:02d}" + plain[4:]
    return values.one_of(
        dice,
        [
            lambda: wrong,
            lambda: " ".join(wrong[at : at + 4] for at in range(0, len(wrong), 4)),
            lambda: plain + "7",
            lambda: plain[:-1],
            lambda: "x" + plain,
            lambda: "XX" + plain[2:],
            lambda: f"SN{_digits(dice, 20)}",
            lambda: f"DE{_digits(dice, 9)}",
            lambda: values.some(dice, _HEX, 32),
            lambda: f"GB12 {values.some(dice, string.ascii_uppercase, 4)} {_digits(dice, 4)}",
        ],
    )


def email(dice: Random) -> str:
    return dice.choice(
        [
            "git@github.com:example/repo.git",
            "user@localhost",
            "lodash@4.17.21",
            "pkg@1.2.3-beta.rc",
            "logo@2x.png",
            "icon@3x.webp",
            "@app.route",
            "@types/node@20.1",
            "postgres://admin:hunter2@db.example.com/x",
            "https://user@host.example.com/",
            "@alice@mastodon.example",
            "a @ b.com",
            "bob@",
            "@example.com",
            "x@y",
            "actions/checkout@v4",
            "1@2.3",
            "foo@bar..com",
            "sha256@abcdef",
            "image@sha256:abc",
            "user@192.168.0.1",
            "main@{upstream}",
            "ssh://git@host.example.org:22/r",
        ]
    )


def phone(dice: Random) -> str:

    def d(count: int) -> str:
        return _digits(dice, count)

    day, month = dice.randint(1, 28), dice.randint(1, 12)
    return values.one_of(
        dice,
        [
            lambda: f"{day:02d}.{month:02d}.2024",
            lambda: f"{day:02d}/{month:02d}/2024 10:15",
            lambda: f"2024-{month:02d}-{day:02d}T10:15:00+02:00",
            lambda: f"2024-{month:02d}-{day:02d} 10:15:00",
            lambda: f"192.168.{dice.randrange(255)}.{dice.randrange(255)}",
            lambda: "010.020.030.040",
            lambda: f"{d(3)}-{d(2)}-{d(4)}",
            lambda: f"1.2.3+{d(14)}",
            lambda: f"+{dice.randint(1, 89)}.{d(6)}",
            lambda: f"114-{d(7)}-{d(7)}",
            lambda: f"978-3-16-{d(6)}-0",
            lambda: f"{d(5)}-{d(4)}",
            lambda: f"@@ -{dice.randint(1, 999)},7 +{dice.randint(1, 999)},8 @@",
            lambda: f"{d(3)}+{d(9)}",
            lambda: f"0.{d(10)}",
            lambda: f"0{d(9)}0",
            lambda: f"12 {d(3)} {d(3)} EUR",
            lambda: f"10:15:{d(2)}.{d(6)}",
            lambda: f"0x{values.some(dice, _HEX, 10)}",
            lambda: _uuid(dice),
            lambda: f"v0.{d(2)}.{d(3)}",
            lambda: f"555-{d(4)}",
            lambda: f"112-911-{d(4)}",
            lambda: f"+{d(4)}",
            lambda: f"{d(10)}",
            lambda: f"00:0{d(1)}:{d(2)}:{d(2)}:{d(2)}:ff",
            lambda: f"+{dice.randint(10, 99)} {dice.randint(10, 99)} {dice.randint(10, 99)}",
            lambda: f"#0{d(2)} {d(2)}",
            lambda: f"1920x1080-{d(3)}",
            lambda: f"{d(4)} {d(4)} {d(4)}",
        ],
    )


def cloud_key(dice: Random) -> str:
    return values.one_of(
        dice,
        [
            lambda: "AKIA" + "X" * 16,
            lambda: "AKIA" + values.some(dice, string.ascii_uppercase, 5),
            lambda: "xAKIA" + values.some(dice, string.ascii_uppercase, 16),
            lambda: values.some(dice, _HEX, 40),
            lambda: base64.b64encode(dice.randbytes(30)).decode(),
            lambda: "commit=" + values.some(dice, _HEX, 40),
            lambda: "secret = the key",
            lambda: "AIza-not",
            lambda: "aws_secret_access_key = " + "*" * 40,
            lambda: "AWS_SECRET_ACCESS_KEY=${SECRET}",
            lambda: "AKIARA AND ASIANA",
            lambda: "LTAI5",
            lambda: "secret sha1: " + values.some(dice, _HEX, 40),
            lambda: "account_key_name",
        ],
    )


def token(dice: Random) -> str:
    body = "\n".join(values.some(dice, string.ascii_letters, 64) for _ in range(6))
    return values.one_of(
        dice,
        [
            lambda: "eyJ" + ".".join(values.some(dice, string.ascii_letters, 30) for _ in range(3)),
            lambda: f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----",
            lambda: f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----",
            lambda: "a file that begins with -----BEGIN PRIVATE KEY----- is a key",
            lambda: "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            lambda: "xoxo-hugs-and-kisses",
            lambda: "sk-" + "x" * 48,
            lambda: "sk-learn-extensions",
            lambda: "npm_config_registry",
            lambda: "ghp_" + "x" * 36,
            lambda: "hf_transformers_cache",
            lambda: "pk_live_" + values.some(dice, string.digits, 24),
            lambda: "data:image/png;base64," + base64.b64encode(dice.randbytes(400)).decode(),
            lambda: _uuid(dice),
            lambda: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + values.some(dice, string.ascii_letters, 43),
            lambda: "task-force-with-a-long-name-that-goes-on-and-on",
            lambda: "SG.pdf",
            lambda: "risk-" + values.some(dice, string.ascii_letters, 48),
            lambda: "sha256:" + values.some(dice, _HEX, 64),
            lambda: "gh_pages",
            lambda: "<YOUR_API_KEY>",
        ],
    )


NEGATIVES: Final[dict[Kind, Callable[[Random], str]]] = {
    Kind.CARD: card,
    Kind.IBAN: iban,
    Kind.EMAIL: email,
    Kind.PHONE: phone,
    Kind.CLOUD_KEY: cloud_key,
    Kind.TOKEN: token,
}
