"""Instances of the local cluster on one machine have nothing in common but binaries."""

import json
import os
import subprocess
import sys

import pytest

from tests.cluster import errors, instance

NAMES = """
import json
from tests.cluster import addresses, cgroups, layout, local
print(json.dumps([addresses.NODE_NETNS, addresses.WORLD_NETNS, cgroups.NAME, str(layout.RUN), str(local.new_data())]))
"""


def names(name: str) -> list[str]:
    """Return what a process with that ZAUM_INSTANCE calls its things."""
    environment = os.environ | {instance.VARIABLE: name}
    done = subprocess.run([sys.executable, "-c", NAMES], env=environment, capture_output=True, text=True, check=True)
    result: list[str] = json.loads(done.stdout)
    return result


def test_absent_and_empty_mean_the_usual_one() -> None:
    assert instance.chosen({}) == ""
    assert instance.chosen({instance.VARIABLE: ""}) == ""


@pytest.mark.parametrize("name", ["scale", "a", "x1", "abcdefghijkl"])
def test_a_short_plain_name_is_taken(name: str) -> None:
    assert instance.chosen({instance.VARIABLE: name}) == name


@pytest.mark.parametrize("name", ["../x", "a b", "1a", "A", "a-b", "abcdefghijklm", "a\n"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(errors.ClusterError, match=instance.VARIABLE):
        instance.chosen({instance.VARIABLE: name})


def test_no_two_instances_share_a_namespace_a_cgroup_or_a_folder() -> None:
    usual, scale, chaos = names(""), names("scale"), names("chaos")
    assert usual[:4] == ["zaum-node", "zaum-world", "zaum-cluster", "/run/zaum-cluster"]
    assert len({*usual, *scale, *chaos}) == 15
