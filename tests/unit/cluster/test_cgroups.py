"""The machine's cgroup mounts are read as they are, whichever version they have."""

from pathlib import Path

import pytest

from tests.cluster import cgroups, errors

LEGACY = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
NONE = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"


def test_version_one_is_tracked_by_pids() -> None:
    hierarchies = cgroups.parse_mountinfo(LEGACY)
    assert [hierarchy.path.name for hierarchy in hierarchies] == ["cpu", "cpuset", "pids", "unified"]
    assert cgroups.tracking(hierarchies).path == Path("/sys/fs/cgroup/pids")


def test_version_two_is_tracked_as_it_is() -> None:
    assert cgroups.tracking(cgroups.parse_mountinfo(UNIFIED)) == cgroups.Hierarchy(
        Path("/sys/fs/cgroup"), 2, frozenset()
    )


def test_a_machine_without_cgroups_is_told_so() -> None:
    with pytest.raises(errors.MissingPrerequisite, match="pids"):
        cgroups.tracking(cgroups.parse_mountinfo(NONE))
