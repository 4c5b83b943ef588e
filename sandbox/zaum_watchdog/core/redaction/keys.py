"""Find keys of cloud providers, and tokens and keys of services. What they begin with is their issuers' own choice."""

import re
from collections.abc import Iterator
from typing import Final

from zaum_watchdog.core.redaction import checks
from zaum_watchdog.core.redaction.classes import Found, Kind

CONTEXT: Final = 64
"""Bytes before a value that may say what it is."""
_DASHED: Final = rb"(?<![0-9A-Za-z_-])"
_CLOUD: Final = re.compile(
    rb"(?<![0-9A-Za-z])(?:"
    rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![0-9A-Za-z])"  # Amazon: ids of access keys
    rb"|AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"  # Google: API keys
    rb"|GOCSPX-[0-9A-Za-z_-]{28}(?![0-9A-Za-z_-])"  # Google: secrets of OAuth clients
    rb"|ya29\.[0-9A-Za-z_-]{30,2048}+"  # Google: access tokens
    rb"|[0-9A-Za-z_~.]{3}8Q~[0-9A-Za-z_~.-]{31,34}(?![0-9A-Za-z_~-])"  # Microsoft Entra: secrets of applications
    rb"|LTAI[0-9A-Za-z]{12,20}(?![0-9A-Za-z])"  # Alibaba Cloud
    rb"|do[opr]_v1_[0-9a-f]{64}(?![0-9A-Za-z])"  # DigitalOcean
    rb")"
)
_TOKEN: Final = re.compile(
    _DASHED + rb"(?:"
    rb"gh[pousr]_[0-9A-Za-z]{36,255}+|github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}|glpat-[0-9A-Za-z_-]{20,64}+(?:\.[0-9A-Za-z_-]{1,32}+){0,3}"
    rb"|xox[abeprs]-(?=[A-Za-z-]{0,20}[0-9])[0-9A-Za-z-]{10,250}+|xapp-[0-9]-[0-9A-Za-z-]{10,250}+"
    rb"|sk-ant-[a-z]{2,5}[0-9]{2}-[0-9A-Za-z_-]{40,200}+|sk-(?:proj|svcacct|admin|None)-[0-9A-Za-z_-]{20,250}+"
    rb"|sk-or-v1-[0-9a-f]{64}|sk-[0-9A-Za-z]{32,64}+"
    rb"|[sr]k_(?:live|test)_[0-9A-Za-z]{16,247}+|whsec_[0-9A-Za-z+/]{24,64}+"
    rb"|npm_[0-9A-Za-z]{36}|pypi-AgE[0-9A-Za-z_-]{50,250}+|hf_[A-Za-z]{34}|SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"
    rb"|dckr_pat_[0-9A-Za-z_-]{27}|gsk_[0-9A-Za-z]{52}|AGE-SECRET-KEY-1[0-9A-Z]{58}"
    rb")(?![0-9A-Za-z_])"
)
_JWT: Final = re.compile(
    rb"(?<![0-9A-Za-z_.-])eyJ[0-9A-Za-z_-]{12,4096}+\.[0-9A-Za-z_-]{0,8192}+(?:\.[0-9A-Za-z_-]{1,8192}+){1,3}(?![0-9A-Za-z_-])"
)
_WEBHOOK: Final = re.compile(
    rb"(?<=hooks\.slack\.com/services/)T[0-9A-Z]{6,14}/B[0-9A-Z]{6,14}/[0-9A-Za-z]{20,30}(?![0-9A-Za-z])"
)
_SECRET: Final = re.compile(rb"(?<![0-9A-Za-z/+])(?:[0-9A-Za-z/+]{40}|[0-9A-Za-z/+]{86}==)(?![0-9A-Za-z/+=])")
_NAMED: Final = re.compile(
    rb"(?i:secret.?access.?key|aws.?secret(?:.?key)?|account.?key|shared.?access.?key)"
    rb"[\"'\x1f]? ?(?::|=>?) ?[\"'\x1f]?\Z",
    re.S,
)
"""Names of secrets that have no look of their own: of Amazon's access keys, of Azure's accounts."""
_HEX: Final = re.compile(rb"[0-9a-f]*|[0-9A-F]*")


def cloud_keys(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find keys of cloud providers, those that only their name tells by the CONTEXT bytes before them."""
    for found in _CLOUD.finditer(text, at, end):
        if checks.drawn(found[0]):
            yield Found(found.start(), found.end(), Kind.CLOUD_KEY)
    for found in _SECRET.finditer(text, at, end):
        named = _NAMED.search(text[max(0, found.start() - CONTEXT) : found.start()])
        if named and not _HEX.fullmatch(found[0]):
            yield Found(found.start(), found.end(), Kind.CLOUD_KEY)


def tokens(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find tokens and keys of services; private keys, which have lines, are found elsewhere."""
    for pattern in (_TOKEN, _WEBHOOK):
        for found in pattern.finditer(text, at, end):
            if checks.drawn(found[0]):
                yield Found(found.start(), found.end(), Kind.TOKEN)
    for found in _JWT.finditer(text, at, end):
        if checks.signed_token(found[0]):
            yield Found(found.start(), found.end(), Kind.TOKEN)
