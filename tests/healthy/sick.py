"""The control: an agent that is not healthy, at the same defaults, under the same eyes."""

from collections.abc import Iterator
from typing import Final

from tests.healthy import reading, run
from tests.support.e2e.api import NotSeenError, Object, condition
from zaum_api import contract, incidents

SEEN_SECONDS: Final = 60
DENIED: Final = """
import socket, time
for _ in range(200):
    with socket.create_connection(("127.0.0.1", 15001)) as proxy:
        proxy.sendall(b"CONNECT outlaw.example.net:443 HTTP/1.1\\r\\nHost: outlaw.example.net:443\\r\\n\\r\\n")
        proxy.recv(4096)
    time.sleep(0.5)
time.sleep(3600)
"""
"""Half a minute's requests at the default rate are more than the detector of denied ones lets pass."""


def faults(made: run.Field) -> Iterator[str]:
    """Run one, and say what of its end is not seen."""
    here = made.agents.namespace
    made.agents.run("sick", DENIED, limits={"requests": {"perMinute": 600, "burst": 100}})
    try:
        made.api.until_any("incidents", here, "", _killed, seconds=SEEN_SECONDS, what="a sick agent is killed")
    except NotSeenError as error:
        yield f"control: {error}"
    if not any("sick" in name for name in reading.incidents(made.api, here)):
        yield "control: no Incident is read where there is one"


def _killed(incident: Object) -> bool:
    spec = incident["spec"]
    reason = contract.Breach.RUNAWAY_DENIED.value
    about = (spec["policyRef"]["name"], spec["reason"]) == ("sick", reason)
    return about and condition(incident, incidents.Condition.KILLED).get("status") == "True"
