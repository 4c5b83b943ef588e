"""What agents that spend need, and the command line to see what they spent."""

import secrets
import subprocess
from typing import Final

from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Object
from zaum_api import contract

LEDGER: Final = f"zaum-{contract.COMPONENT_LEDGER}"
NO_VERDICT: Final[Object] = {"denied": {"enabled": False}}


def credential(agents: Agents) -> None:
    """Store a credential for routes to models."""
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": secrets.token_urlsafe(32)}}
    agents.api.apply("secrets", secret | {"metadata": {"name": "model", "namespace": agents.namespace}})


def command(*words: str) -> str:
    """Run a command and give what it says; AssertionError with its complaint where it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout
