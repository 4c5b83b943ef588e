"""JSON or plain text, by what the client accepts."""

import pytest

from zaum_watchdog.core import preference


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        (b"", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"text/plain", True),
        (b"text/plain, application/json", False),
        (b"text/plain, application/json;q=0.9", True),
        (b"text/plain;q=0.5, */*;q=0.1", True),
        (b"text/*;q=0.5, application/*", False),
        (b"TEXT/PLAIN;charset=utf-8;q=1.0", True),
        (b"text/plain;q=0", False),
        (b"text/html, */*", False),
    ],
)
def test_plain_text_only_where_it_is_preferred(accept: bytes, text: bool) -> None:
    assert preference.text(accept) is text
