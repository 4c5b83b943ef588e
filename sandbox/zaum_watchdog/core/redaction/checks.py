"""Checksums and the like: what tells a value from something that only looks like one."""

import base64
import binascii
import json
from typing import Final

_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_VALUES: Final = {code: str(int(chr(code), 36)) for code in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

_COUNTRIES: Final = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
IBAN_LENGTHS: Final = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}
"""Characters of an IBAN by its country: SWIFT's registry of IBANs."""

_CODES: Final = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
    "86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 "
    "237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 "
    "266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 "
    "380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 "
    "597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852 "
    "853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 "
    "979 992 993 994 995 996 998"
)
_CALLING_CODES: Final = frozenset(_CODES.split())
"""Countries and services by ITU-T E.164's list."""

_ISSUERS: Final = (
    # The first four digits from, to, and how many digits a number has.
    (2200, 2204, (16,)),
    (2221, 2720, (16,)),
    (3000, 3059, (14,)),
    (3400, 3499, (15,)),
    (3528, 3589, (16, 19)),
    (3600, 3699, (14,)),
    (3700, 3799, (15,)),
    (3800, 3999, (14,)),
    (4000, 4999, (16, 19)),
    (5018, 5018, (16,)),
    (5020, 5020, (16,)),
    (5038, 5038, (16,)),
    (5100, 5599, (16,)),
    (6011, 6011, (16, 19)),
    (6200, 6299, (16, 17, 18, 19)),
    (6304, 6304, (16,)),
    (6440, 6599, (16, 19)),
    (6759, 6763, (16,)),
)
"""Payment cards by ISO/IEC 7812: Visa, Mastercard, Amex, Discover, Diners, JCB, UnionPay, Maestro, Mir."""


def luhn(digits: bytes) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(digits)) % 10 == 0


def card(digits: bytes) -> bool:
    """Say whether the digits are a card's: of an issuer's range, as many as it gives, with a check digit."""
    if not luhn(digits) or len(set(digits)) < 2:
        return False
    issuer = int(digits[:4])
    return any(first <= issuer <= last and len(digits) in lengths for first, last, lengths in _ISSUERS)


def iban(characters: bytes) -> bool:
    """Say whether an upper-case IBAN without separators is as long as its country's are and leaves 1 modulo 97."""
    if IBAN_LENGTHS.get(characters[:2].decode("ascii", "replace")) != len(characters):
        return False
    turned = characters[4:] + characters[:4]
    return int("".join(map(_VALUES.__getitem__, turned))) % 97 == 1


def called(digits: bytes) -> bool:
    """Say whether digits in international form, without + or 00, begin with a code and are as many as may be."""
    if not 8 <= len(digits) <= 15:
        return False
    text = digits.decode("ascii")
    if text[0] == "1":
        return len(text) == 11 and text[1] > "1" and text[4] > "1"
    return any(text[:count] in _CALLING_CODES for count in (1, 2, 3))


def drawn(value: bytes) -> bool:
    """Say whether the end of a value can have been drawn by lot: examples repeat a letter or two."""
    return len(set(value[-20:])) >= 7


def signed_token(value: bytes) -> bool:
    """Say whether the first part of a value decodes to the header of a JWT (RFC 7519)."""
    first = value.partition(b".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first + b"=" * (-len(first) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header
