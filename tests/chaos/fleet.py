"""The policies of a storm: names that could collide, and specs drawn from the seed. Pure."""

import random
from typing import Any, Final

Object = dict[str, Any]

IMAGE: Final = "registry.example/agent@sha256:" + "0" * 64
LONG: Final = "a-name-that-is-as-long-as-a-name-may-be-here-48x"
FLEET: Final[tuple[tuple[str, str], ...]] = (
    ("chaos-a-b", "c"),
    ("chaos-a", "b-c"),
    ("chaos-a", "b"),
    ("chaos-b", "researcher"),
    ("chaos-b", "researcher-0"),
    ("chaos-b", LONG),
    ("chaos-c", "crowd"),
    ("chaos-d", "lone"),
)
"""Namespace and name. `a-b`/`c` and `a`/`b-c` read the same when joined; `researcher`'s pods begin like those of
`researcher-0`."""
NAMESPACES: Final = tuple(dict.fromkeys(namespace for namespace, _ in FLEET))
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
HOSTS: Final = ("docs.example.com", "*.example.org", "llm.example.net", "pypi.example.io")
PEER: Final[Object] = {"podSelector": {"matchLabels": {"app": "caller"}}}


def namespace(name: str) -> Object:
    """Give a namespace under Pod Security `restricted`."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}


def policy(index: int, spec: Object) -> Object:
    """Give one policy of the fleet."""
    where, name = FLEET[index]
    return {
        "apiVersion": "zaum.dev/v1alpha1",
        "kind": "AgentPolicy",
        "metadata": {"name": name, "namespace": where},
        "spec": spec,
    }


def spec(dice: random.Random) -> Object:
    """Draw a spec that is valid and can run."""
    drawn: Object = {
        "agent": {
            "image": IMAGE,
            "command": dice.choice([["run"], ["run", "--fast"]]),
            "replicas": dice.randint(1, 3),
            "env": [{"name": "VERSION", "value": str(dice.randint(1, 3))}],
        },
        "egress": {"hosts": [{"host": host} for host in sorted(dice.sample(HOSTS, dice.randint(0, 3)))]},
        "limits": {"requests": {"perMinute": dice.choice([6, 60, 600])}},
        "desiredState": "Running",
    }
    if dice.random() < 0.3:
        drawn["identity"] = {"token": {"audience": f"https://tools-{dice.randint(1, 2)}.example"}}
    if dice.random() < 0.4:
        drawn["ingress"] = [{"port": 8080, "from": [PEER]}]
    return drawn


def finals(seed: int) -> list[Object]:
    """Draw what each policy of the fleet is in the end. One of them is stopped."""
    dice = random.Random(f"finals {seed}")
    drawn = [spec(dice) for _ in FLEET]
    drawn[dice.randrange(len(drawn))]["desiredState"] = "Stopped"
    return drawn
