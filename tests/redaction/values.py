"""Values of each class as they look outside, made up anew at each run: no key in here was ever one."""

import base64
import json
import string
from collections.abc import Callable
from random import Random
from typing import Final

from zaum_watchdog.core.redaction.classes import Kind

_ALNUM: Final = string.ascii_letters + string.digits
_URL: Final = _ALNUM + "-_"
_UPPER32: Final = string.ascii_uppercase + "234567"
NO_BREAK: Final = "\u00a0"


def some(dice: Random, letters: str, count: int) -> str:
    """Draw letters."""
    return "".join(dice.choice(letters) for _ in range(count))


def one_of(dice: Random, forms: list[Callable[[], str]]) -> str:
    """Make one of several forms."""
    return dice.choice(forms)()


def check_digit(digits: str) -> str:
    """Give Luhn's check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def card_digits(dice: Random) -> str:
    """Give the digits of a card of one of the large brands."""
    prefix, length = dice.choice(
        [
            ("4", 16),
            ("4", 16),
            ("5" + dice.choice("12345"), 16),
            (str(dice.randint(2221, 2720)), 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("65", 16),
            ("3" + str(dice.randint(528, 589)), 16),
            ("36", 14),
            ("62", 16),
            ("62", 19),
            ("4", 19),
            ("6759", 16),
            ("2200", 16),
        ]
    )
    digits = prefix + some(dice, string.digits, length - len(prefix) - 1)
    return digits + check_digit(digits)


def grouped(digits: str, mark: str) -> str:
    """Write a card as it is printed."""
    sizes = {15: (4, 6, 5), 14: (4, 6, 4), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}[len(digits)]
    parts, at = [], 0
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return mark.join(parts)


def card(dice: Random) -> str:
    digits = card_digits(dice)
    mark = dice.choice(["", "", " ", " ", "-", NO_BREAK])
    return grouped(digits, mark) if mark else digits


_BBAN: Final = {
    "DE": "9" * 18,
    "FR": "9" * 10 + "A" * 11 + "99",
    "GB": "AAAA" + "9" * 14,
    "NL": "AAAA" + "9" * 10,
    "ES": "9" * 20,
    "IT": "A" + "9" * 10 + "X" * 12,
    "AT": "9" * 16,
    "CH": "9" * 5 + "X" * 12,
    "BE": "9" * 12,
    "PL": "9" * 24,
    "NO": "9" * 11,
    "SE": "9" * 20,
    "MT": "AAAA99999" + "X" * 18,
    "PT": "9" * 21,
    "SA": "99" + "X" * 18,
    "TR": "9" * 22,
    "LC": "AAAA" + "X" * 24,
    "IE": "AAAA" + "9" * 14,
}


def iban_plain(dice: Random) -> str:
    country = dice.choice(sorted(_BBAN))
    kinds = {"9": string.digits, "A": string.ascii_uppercase, "X": string.digits + string.ascii_uppercase}
    bban = "".join(dice.choice(kinds[each]) for each in _BBAN[country])
    number = int("".join(str(int(each, 36)) for each in bban + country + "00"))
    return f"{country}{98 - number % 97:02d}{bban}"


def iban(dice: Random) -> str:
    plain = iban_plain(dice)
    match dice.randrange(5):
        case 0 | 1:
            return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))
        case 2:
            return NO_BREAK.join(plain[at : at + 4] for at in range(0, len(plain), 4))
        case 3:
            return plain.lower()
        case _:
            return plain


_NAMES: Final = (
    "anna",
    "bob",
    "carla",
    "dmitri",
    "émile",
    "françois",
    "günther",
    "hanako",
    "i.ivanova",
    "j.o'brien",
    "k_larsen",
    "lena-marie",
    "mr.x",
    "n0name",
    "o",
    "p99",
)
_HOSTS: Final = (
    "example.com",
    "example.org",
    "mail.example.co.uk",
    "exämple.de",
    "corp.internal.example.net",
    "xn--exmple-cua.com",
    "uni.example.edu",
    "my-firm.io",
    "a.museum",
    "пример.рф",
)


def email(dice: Random) -> str:
    local = dice.choice(_NAMES) + dice.choice(["", "", "+news", "." + dice.choice(_NAMES), str(dice.randrange(100))])
    address = f"{local}@{dice.choice(_HOSTS)}"
    return address.upper() if dice.random() < 0.05 else address


def _digits(dice: Random, count: int) -> str:
    return some(dice, string.digits, count)


def _national_american(dice: Random) -> tuple[str, str, str]:
    return dice.choice("23456789") + _digits(dice, 2), dice.choice("23456789") + _digits(dice, 2), _digits(dice, 4)


def phone(dice: Random) -> str:
    area, exchange, line = _national_american(dice)

    def d(count: int) -> str:
        return _digits(dice, count)

    n = str(dice.randint(1, 9))
    forms: list[Callable[[], str]] = [
        lambda: f"+1{area}{exchange}{line}",
        lambda: f"+1 {area} {exchange} {line}",
        lambda: f"+1 ({area}) {exchange}-{line}",
        lambda: f"+1-{area}-{exchange}-{line}",
        lambda: f"({area}) {exchange}-{line}",
        lambda: f"{area}-{exchange}-{line}",
        lambda: f"{area}.{exchange}.{line}",
        lambda: f"1-{area}-{exchange}-{line}",
        lambda: f"+49 {n}70 {n}{d(6)}",
        lambda: f"+49{n}7{d(9)}",
        lambda: f"+49 (0) 30 {n}{d(6)}",
        lambda: f"0049 {n}70 {d(7)}",
        lambda: f"030 / {n}{d(6)}",
        lambda: f"0170-{n}{d(6)}",
        lambda: f"(030) {n}{d(3)}-{d(4)}",
        lambda: f"0{n}{d(3)} {n}{d(5)}",
        lambda: f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}",
        lambda: f"06 {d(2)} {d(2)} {d(2)} {d(2)}",
        lambda: f"01.{d(2)}.{d(2)}.{d(2)}.{d(2)}",
        lambda: f"+44 20 7{d(3)} {d(4)}",
        lambda: f"020 7{d(3)} {d(4)}",
        lambda: f"07{d(3)} {d(6)}",
        lambda: f"+44 (0)20 7{d(3)} {d(4)}",
        lambda: f"+39 06 {d(4)} {d(4)}",
        lambda: f"+7 (9{d(2)}) {d(3)}-{d(2)}-{d(2)}",
        lambda: f"+86 1{n}{d(1)} {d(4)} {d(4)}",
        lambda: f"+81-3-{d(4)}-{d(4)}",
        lambda: f"03-{n}{d(3)}-{d(4)}",
        lambda: f"+91 9{d(4)} {d(5)}",
        lambda: f"+55 11 9{d(4)}-{d(4)}",
        lambda: f"+61 4{d(2)} {d(3)} {d(3)}",
        lambda: f"04{d(2)} {d(3)} {d(3)}",
        lambda: f"+41 44 {d(3)} {d(2)} {d(2)}",
        lambda: f"6{d(2)} {d(3)} {d(3)}",  # Spain's, without a zero in front
    ]
    written = one_of(dice, forms)
    return written.replace(" ", NO_BREAK) if dice.random() < 0.05 else written


def cloud_key(dice: Random) -> str:
    return one_of(
        dice,
        [
            lambda: dice.choice(["AKIA", "ASIA"]) + some(dice, _UPPER32, 16),
            lambda: "AIza" + some(dice, _URL, 35),
            lambda: "GOCSPX-" + some(dice, _URL, 28),
            lambda: "ya29." + some(dice, _URL, 120),
            lambda: some(dice, _ALNUM, 3) + "8Q~" + some(dice, _ALNUM + "_.~", 33) + "a",
            lambda: "LTAI" + some(dice, _ALNUM, 20),
            lambda: "dop_v1_" + some(dice, "0123456789abcdef", 64),
        ],
    )


def named_secret(dice: Random) -> tuple[str, str]:
    """Give what stands before a secret that only its name tells, and the secret."""
    if dice.random() < 0.3:
        return "DefaultEndpointsProtocol=https;AccountName=store;AccountKey=", some(dice, _ALNUM + "+/", 86) + "=="
    name = dice.choice(
        [
            "aws_secret_access_key = ",
            "AWS_SECRET_ACCESS_KEY=",
            'AWS_SECRET_ACCESS_KEY="',
            '"SecretAccessKey": "',
            "secretAccessKey: '",
        ]
    )
    return name, some(dice, _ALNUM + "+/", 39) + "Z"


def jwt(dice: Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"alg": dice.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"})
    return f"{head}.{part({'sub': _digits(dice, 10), 'iat': dice.randrange(2**31)})}.{some(dice, _URL, 43)}"


def private_key(dice: Random) -> str:
    label = dice.choice(
        ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
    )
    lines = ["MII" + some(dice, _ALNUM + "+/", 61)] + [
        some(dice, _ALNUM + "+/", 64) for _ in range(dice.randint(2, 24))
    ]
    newline = dice.choice(["\n", "\n", "\r\n", "\\n"])
    return newline.join([f"-----BEGIN {label}-----", *lines, some(dice, _ALNUM, 30) + "==", f"-----END {label}-----"])


def token(dice: Random) -> str:
    return one_of(
        dice,
        [
            lambda: jwt(dice),
            lambda: jwt(dice),
            lambda: private_key(dice),
            lambda: private_key(dice),
            lambda: dice.choice(["ghp_", "gho_", "ghs_", "ghr_"]) + some(dice, _ALNUM, 36),
            lambda: "github_pat_" + some(dice, _ALNUM, 22) + "_" + some(dice, _ALNUM, 59),
            lambda: "glpat-" + some(dice, _URL, 20),
            lambda: f"xoxb-{_digits(dice, 12)}-{_digits(dice, 12)}-{some(dice, _ALNUM, 24)}",
            lambda: "sk-" + some(dice, _ALNUM, 48),
            lambda: "sk-proj-" + some(dice, _URL, 120) + "A",
            lambda: "sk-ant-api03-" + some(dice, _URL, 93) + "AA",
            lambda: "sk_live_" + some(dice, _ALNUM, 24),
            lambda: "npm_" + some(dice, _ALNUM, 36),
            lambda: "hf_" + some(dice, string.ascii_letters, 34),
            lambda: f"SG.{some(dice, _URL, 22)}.{some(dice, _URL, 43)}",
            lambda: "pypi-AgEIcHlwaS5vcmc" + some(dice, _URL, 100) + "A",
        ],
    )


POSITIVES: Final[dict[Kind, Callable[[Random], str]]] = {
    Kind.CARD: card,
    Kind.IBAN: iban,
    Kind.EMAIL: email,
    Kind.PHONE: phone,
    Kind.CLOUD_KEY: cloud_key,
    Kind.TOKEN: token,
}
