"""The page on enforcement says the numbers, words and names that the code has."""

import re
from pathlib import Path

import pytest

from zaum_api import contract, documents
from zaum_cli import __main__ as command
from zaum_operator.core import snapshot
from zaum_watchdog.core import cage, policy, reporting
from zaum_watchdog.shell import cage as tries

PAGE = (Path(__file__).resolve().parents[3] / "docs/enforcement.md").read_text()
CONFIG = documents.Cage((), required=False)


@pytest.mark.parametrize(
    "said",
    [
        f"`enforcement.periodSeconds` ({snapshot.CAGE_PERIOD_SECONDS}), all at once, {tries.TRY_SECONDS} s each",
        "a question by UDP, three times",
        f"the kubelet ({cage.KUBELET_PORT})",
        ", ".join(f"`{outcome.value}`" for outcome in documents.Outcome),
        f"CONNECT to `{contract.CAGE_HOST}:{cage.CONTROL_PORT}`",
        f"({cage.LONGEST_WAIT // cage.SECOND} s where a proof is required)",
        f"`{contract.Rule.NO_PROOF.value}`",
        f"every {reporting.PERIOD // reporting.SECOND} s",
        f"up to {policy.REPORT_CONNECTIONS}",
        '`"wouldDeny": true`',
        f"`{contract.METRIC_PREFIX}report_failing`",
        f"`{contract.METRIC_PREFIX}cage_proven` and `{contract.METRIC_PREFIX}cage_escapes`",
        f"| `{cage.NODE}` |",
    ],
)
def test_the_page_says_what_the_code_does(said: str) -> None:
    assert said in PAGE


def test_a_question_is_asked_as_often_as_the_page_says() -> None:
    assert tries.QUESTIONS == 3


def test_the_waits_are_the_ones_of_the_code() -> None:
    standing, waits = cage.Standing(), []
    for _ in range(3):
        standing = standing.after(CONFIG, 0, ())
        waits.append(standing.wait(CONFIG) // cage.SECOND)
    assert waits == [1, 2, 4]
    assert "after 1 s, then after 2, 4 and so on" in PAGE


def test_the_command_of_the_page_is_one() -> None:
    (line,) = re.findall(r"^zaum (.*?) +#", PAGE, re.MULTILINE)
    options = command._options().parse_args(line.split())
    assert (options.namespace, options.policy) == ("agents", "researcher")
    assert "--denied" in PAGE
