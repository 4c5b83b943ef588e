"""Mounts are made in the cluster's own namespace, and leftovers are found deepest first."""

from pathlib import Path

import pytest

from tests.cluster import layout, mounts

PLACE = layout.Layout(Path("/run/zaum-cluster"), Path("/data"))
MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
50 27 0:50 / /data/kubelet rw - tmpfs tmpfs rw
51 50 0:51 / /data/kubelet/pods/a\\040b rw - tmpfs tmpfs rw
52 27 0:52 / /data-of-others rw - tmpfs tmpfs rw
"""


def test_only_mounts_below_the_folder_are_found_deepest_first() -> None:
    assert mounts.below(MOUNTINFO, Path("/data")) == [Path("/data/kubelet/pods/a b"), Path("/data/kubelet")]
    assert mounts.below(MOUNTINFO, Path("/elsewhere")) == []


def test_the_keeper_shares_mounts_among_the_nodes_processes_before_it_makes_any() -> None:
    lines = mounts.keeper_script(PLACE, Path("/etc/resolv.conf")).splitlines()
    assert lines[:2] == ["set -e", "mount --make-rshared /"]
    assert lines[2] == "mount --bind /run/zaum-cluster/etc/resolv.conf /etc/resolv.conf"
    assert lines[-1] == "exec sleep infinity"


def test_folders_whose_names_others_fixed_are_masked() -> None:
    script = mounts.keeper_script(PLACE, Path("/etc/resolv.conf"))
    assert all(f" zaum {folder}\n" in script for folder in mounts.MASKED)


def noted(folder: Path, text: str) -> layout.Layout:
    """Return an instance that noted these folders as made by it."""
    place = layout.Layout(folder, folder / "data")
    folder.mkdir()
    place.masked.write_text(text)
    return place


def test_the_last_instance_removes_the_mount_points_that_any_of_them_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kubelet"
    folder.mkdir()
    monkeypatch.setattr(mounts, "MASKED", (folder,))
    first, second = noted(tmp_path / "zaum-cluster", f"{folder}\n"), noted(tmp_path / "zaum-cluster-b", "")
    mounts.remove_mount_points(first)
    assert folder.exists(), "the other instance has its mount there"
    first.masked.unlink()
    mounts.remove_mount_points(second)
    assert not folder.exists()
