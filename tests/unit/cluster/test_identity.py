"""A recorded process is taken for itself only while it really is."""

import pytest

from tests.cluster import identity

STAT = "4242 (kube-apiserver) S 1 4242 4242 0 -1 4194560 1 0 0 0 10 20 0 0 20 0 9 0 987654 1 1 1"
RECORD = identity.Record(name="kube-apiserver", pid=4242, start_ticks=987654, boot_id="this-boot")


def stat(*, command: str = "kube-apiserver", state: str = "S", start: int = 987654) -> str:
    """Return a line of /proc/PID/stat."""
    return STAT.replace("kube-apiserver", command).replace(" S ", f" {state} ").replace("987654", str(start))


def test_state_and_start_are_read() -> None:
    assert identity.parse_stat(STAT) == identity.Stat(state="S", start_ticks=987654)


@pytest.mark.parametrize("command", ["a b", "a) S 1", "((", ") Z 1 2 3"])
def test_a_command_name_cannot_confuse_the_reader(command: str) -> None:
    assert identity.parse_stat(stat(command=command)) == identity.Stat(state="S", start_ticks=987654)


def test_the_same_start_in_the_same_boot_is_the_same_process() -> None:
    assert identity.is_running(RECORD, stat=stat(), boot_id="this-boot")


@pytest.mark.parametrize(
    ("now", "boot_id"),
    [
        pytest.param(None, "this-boot", id="no such pid"),
        pytest.param(stat(start=987655), "this-boot", id="the pid belongs to a later process"),
        pytest.param(stat(), "next-boot", id="the machine was booted since"),
        pytest.param(stat(state="Z"), "this-boot", id="a zombie"),
        pytest.param(stat(state="X"), "this-boot", id="a dead one"),
    ],
)
def test_anything_else_is_not(now: str | None, boot_id: str) -> None:
    assert not identity.is_running(RECORD, stat=now, boot_id=boot_id)
