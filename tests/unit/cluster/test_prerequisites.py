"""What the machine lacks is named before anything starts."""

import pytest

from tests.cluster import prerequisites


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go1.27rc1", (1, 27)),
        ("go version devel +abc", None),
        ("", None),
    ],
)
def test_gos_version_is_read(text: str, version: tuple[int, int] | None) -> None:
    assert prerequisites.parse_go_version(text) == version


def test_each_tool_can_be_looked_for() -> None:
    shown = [(tool.command, tool.library, tool.file) for tool in prerequisites.TOOLS]
    assert all(sum(sign is not None for sign in signs) == 1 for signs in shown)


def test_a_command_that_nobody_has_is_missing() -> None:
    assert not prerequisites.is_present(prerequisites.Tool("none", command="zaum-no-such-command"))
    assert prerequisites.is_present(prerequisites.Tool("dash", command="sh"))
