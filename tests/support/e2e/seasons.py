"""When a ledger has served for long enough that new policies begin with nothing spent."""

import time
from datetime import UTC, datetime

from tests.support.e2e import install
from tests.support.e2e.api import Api
from zaum_api import contract
from zaum_ledger.core import accounts, windows


def wait(api: Api) -> None:
    """Wait until the ledger has served for so long that a policy that is made now is surely made after it began.

    Pods of one that may be older begin with a spent minute. Nothing tells the end of that but time.
    """
    for pod in api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={contract.COMPONENT_LEDGER}"):
        (ready,) = [item for item in pod["status"]["conditions"] if item["type"] == "Ready"]
        assert ready["status"] == "True", f"the ledger {pod['metadata']['name']} serves"
        # One that is killed may be back before the kubelet has said that it was away.
        running = [item["state"]["running"]["startedAt"] for item in pod["status"]["containerStatuses"]]
        began = max(datetime.fromisoformat(since) for since in (ready["lastTransitionTime"], *running))
        # All times are whole seconds.
        due = accounts.APART / windows.SECOND + 2
        time.sleep(max(0.0, due - (datetime.now(UTC) - began).total_seconds()))
