"""A part that reads a value from a file at its start is rolled by another value."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "charts/zaum/templates"


def annotations(text: str) -> str:
    """Give the annotations of a template's pods."""
    found = re.search(
        r"^  template:\n    metadata:\n(?:      .*\n)*?      annotations:\n((?:        .*\n)+)", text, re.M
    )
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("template", "held"),
    [
        ("operator.yaml", r"^  ca\.crt: \{\{ (\S+) \| quote \}\}$"),
        ("gateway.yaml", r"^    \{\{- (\S+) \| nindent 4 \}\}$"),
    ],
    ids=["the CAs of routes", "Envoy's file"],
)
def test_what_is_read_at_the_start_rolls_its_reader(template: str, held: str) -> None:
    text = (TEMPLATES / template).read_text()
    (value,) = re.findall(held, text, re.MULTILINE)
    assert f"{{{{ {value} | sha256sum" in annotations(text)
