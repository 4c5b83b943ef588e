import subprocess
import sys
from pathlib import Path

import pytest

from zaum_watchdog.core.redaction import searching
from zaum_watchdog.core.redaction.classes import Kind
from zaum_watchdog.shell import prefilter as library

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (b"", set()),
        (b"The quick brown fox.", set()),
        (b"\xff\x00\xfe", set()),
        (b"bob@example.com", {Kind.EMAIL}),
        (b"4111 1111 1111 1111", {Kind.CARD}),
        (b"call (212) 555-0123 or sk-", {Kind.PHONE, Kind.TOKEN}),
        (b"my AWS_SECRET is", {Kind.CLOUD_KEY}),
        (b"NO9386011117947", {Kind.IBAN}),
    ],
)
def test_the_set_hints_at_the_classes_whose_pattern_is_in_the_text(
    text: bytes, kinds: set[Kind], prefilter: searching.Prefilter
) -> None:
    assert prefilter(text) == kinds


def test_a_set_that_gives_up_hints_at_everything() -> None:
    class GivesUp:
        def Add(self, pattern: str) -> int:  # noqa: N802  # the library's name
            return len(pattern)

        def Compile(self) -> None: ...  # noqa: N802

        def Match(self, text: bytes) -> list[int]:  # noqa: N802
            return []

    assert library._Set(GivesUp(), searching.HINTS)(b"text") == set(Kind)


def test_the_library_is_not_loaded_before_it_is_asked_for() -> None:
    code = (
        "import sys; from zaum_watchdog.core.redaction import redactor; from zaum_watchdog.shell import prefilter; "
        "before = 're2' in sys.modules; prefilter.load(); print(before, 're2' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ROOT / 'crds'}:{ROOT / 'sandbox'}"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.split() == [b"False", b"True"]
