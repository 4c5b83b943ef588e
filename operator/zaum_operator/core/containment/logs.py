"""The last words of an agent, as an Incident keeps them: bounded, of characters that can be printed, without secrets.

An agent holds no secret of ours. What it may have been given by others is masked by shape, on the safe side: long runs
without a space that mix letters and digits, values after names that hold a word for secrets, private keys, tokens.
"""

import re
from typing import Final

from zaum_api import incidents

MASK: Final = "[redacted]"
_READ_MAX: Final = 4 * incidents.LOGS_MAX
_KEY: Final = r"(?:api|access|account|private|secret|signing|encryption|shared|master)[_-]?key"
_WORD: Final = rf"{_KEY}|secret|token|password|passwd|passphrase|credential|pwd"
_NAMED: Final = re.compile(
    # DB_PASSWORD=…, "clientSecret": "…", 'password': '…', secret => …; also with quotes of a text in a text.
    rf"(?i)((?:{_WORD}|_pass|_key)[\w-]{{0,32}})([\\\"']{{0,2}}\s{{0,3}}[:=]{{1,2}}>?\s{{0,3}})"
    r"(\\[\"'][^\"'\\\n]+|\"(?:[^\"\\\n]|\\.)+|'(?:[^'\\\n]|\\.)+|[^\s\"',;]{4,})"
)
_QUOTE: Final = re.compile(r"\\?[\"']")
_SAID: Final = re.compile(rf"(?i)\b(bearer|basic|{_WORD})(\"?\s{{0,3}}[:=]\s{{0,3}}\"?|\s)([^\s\"',;]{{4,}})")
_LINE: Final = re.compile(r"(?i)((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s{0,3}[:=]\s{0,3})[^\n]+")
_BLOCK: Final = re.compile(r"-----BEGIN [A-Z ]{1,40}-----[^-]{0,16384}(-----END [A-Z ]{1,40}-----)?")
_LONG: Final = re.compile(r"[A-Za-z0-9_+=-]{20,}")
_IN_URL: Final = re.compile(r"://[^\s/@]{1,256}@")


def kept(text: str) -> str:
    """Give the end of a log as it may be kept."""
    clean = "".join(each if " " <= each <= "~" or each in "\n\t" else "." for each in text[-_READ_MAX:])
    masked = _BLOCK.sub(MASK, clean)
    masked = _LINE.sub(lambda found: f"{found[1]}{found[2]}{MASK}", masked)
    masked = _NAMED.sub(_masked, masked)
    masked = _SAID.sub(lambda found: f"{found[1]}{found[2]}{MASK}", masked)
    masked = _IN_URL.sub(f"://{MASK}@", masked)
    masked = _LONG.sub(lambda found: MASK if _is_random(found[0]) else found[0], masked)
    return masked[-incidents.LOGS_MAX :]


def _masked(found: re.Match[str]) -> str:
    """Mask a value behind its name, and leave its quote. A number of tokens is no secret, and is what is looked for."""
    name, between, value = found.groups()
    if name.lower().endswith("tokens") and value.rstrip(")]}.").isdigit():
        return found[0]
    quote = _QUOTE.match(value)
    return f"{name}{between}{quote[0] if quote else ''}{MASK}"


def _is_random(word: str) -> bool:
    """Tell a key from a long word: it has digits and letters."""
    return any(each.isdigit() for each in word) and any(each.isalpha() for each in word)
