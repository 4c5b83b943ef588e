"""`zaum contain`, `incidents`, `watch` and `release`, as a person uses them on a real cluster."""

import json
import re
from pathlib import Path

from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api
from tests.support.e2e.people import RESPONDER, Person
from zaum_api import incidents

IDLE = ["python3", "-c", "import time; time.sleep(3600)"]


def cells(page: str, name: str) -> list[str]:
    """Give the cells of the line that begins with a name; they stand two blanks apart."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"{name} ")]
    return re.split(r" {2,}", line.strip())


def test_a_person_looks_on_contains_and_releases_by_the_command_line(agents: Agents, api: Api, tmp_path: Path) -> None:
    person = Person(api, agents.namespace, "responder", RESPONDER, tmp_path)
    api.apply("agentpolicies", agents.policy("calm", command=IDLE))
    pod = agents.running("calm")["metadata"]["name"]
    agents.ready("calm")

    before = person.zaum("watch", "calm", "--once")
    assert before.returncode == 0, before.stderr
    assert cells(before.stdout, "calm")[1:4] == ["True", "AllReady", "1/1"]
    assert cells(before.stdout, pod)[1:4] == ["Running", "yes", "no"]
    assert before.stdout.endswith("no Incident\n\n")
    assert person.zaum("incidents").returncode == 0

    done = person.zaum("contain", "calm", "--reason", "A drill.", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = api.items("incidents", agents.namespace)
    name = made["metadata"]["name"]
    held = person.zaum("watch", "calm", "--once").stdout
    assert cells(held, "calm")[1:5] == ["False", "Quarantined", "0/0", "Quarantine (Manual)"]
    assert pod not in held
    assert cells(held, name)[1:5] == ["calm", "Manual", "Quarantine", incidents.Phase.CONTAINED.value]
    (told,) = json.loads(person.zaum("incidents", "--open", "-o", "json").stdout)
    assert (told["name"], told["spec"]["requestedBy"]) == (name, person.user.name)
    listed = cells(person.zaum("incidents", "calm").stdout, agents.namespace)
    assert listed[1:6] == [name, "calm", "Manual", "Quarantine", incidents.Phase.CONTAINED.value]

    missing = person.zaum("release", "nobody", "--reason", "It is over.")
    assert missing.returncode == 1
    assert "nobody" in missing.stderr
    released = person.zaum("release", name, "--reason", "It is over.")
    assert released.returncode == 0, released.stderr
    agents.running("calm")
    after = person.zaum("watch", "--once").stdout
    assert after.endswith("no open Incident; 1 closed\n\n")
    again = person.zaum("release", name, "--reason", "It is over.")
    assert again.returncode == 1, "it is said once"
