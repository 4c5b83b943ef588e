"""A volume that is full, or cannot be written: nothing is granted, the health says so, and it goes on by itself."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import documents

NOTICED_SECONDS = 10.0


def seeing(option: str, path: Path) -> tuple[str, ...]:
    """Give what runs a command that alone sees a volume in memory at a path."""
    mounts = f'mount -t tmpfs -o {option} volume "$0" && exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", mounts, str(path))


class Volume:
    """The volume of a ledger that runs, which nobody else sees."""

    def __init__(self, process: ledger.Process, path: Path) -> None:
        self._pid = process.process.pid
        self._inside = path
        self.path = Path(f"/proc/{self._pid}/root") / path.relative_to("/")

    def fill(self) -> None:
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            while True:
                try:
                    ballast.write(bytes(1024))
                except OSError:
                    return

    def clear(self) -> None:
        (self.path / "ballast").unlink()

    def mount(self, *words: str) -> None:
        subprocess.run(["nsenter", "-t", f"{self._pid}", "-m", *words, str(self._inside)], check=True, timeout=30)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    made = tmp_path / "volume"
    made.mkdir()
    return made


@pytest.fixture
def service(tmp_path: Path, books: Path, api: ledger.FakeApi, authority: Authority) -> Iterator[ledger.Process]:
    where = {"ZAUM_SQLITE_FILE": str(books / "ledger.db")}
    with ledger.running(tmp_path, api, authority, where, wrapper=seeing("size=1m", books)) as process:
        yield process


@pytest.fixture
def pod(service: ledger.Process, api: ledger.FakeApi) -> Iterator[ledger.Watchdog]:
    made = ledger.Watchdog(service, api.token())
    made.sync()
    yield made
    made.close()


def until(process: ledger.Process, status: int, word: str = "") -> None:
    deadline = time.monotonic() + NOTICED_SECONDS
    while not (process.page("/readyz")[0] == status and word in process.page("/readyz")[1]):
        assert time.monotonic() < deadline, process.page("/readyz")
        time.sleep(0.1)


def failing(process: ledger.Process) -> str:
    return next(
        line for line in process.page("/metrics")[1].splitlines() if line.startswith("zaum_ledger_storage_failing")
    )


def refused(pod: ledger.Watchdog, number: int) -> None:
    """Ask for all that there may be, and be given nothing."""
    said = documents.Sync(
        session=pod.session, sequence=number, config="c", generation=1, replicas=1, ordinal=0, meters=ledger.METERS,
        wants=(documents.Want(ledger.TOKENS, 1_000),),
    )  # fmt: skip
    answer = pod.post(said)
    assert isinstance(answer, documents.LedgerError)
    assert answer.error == "storage"
    assert "nothing was granted" in answer.message


def test_i07_a_full_disk_grants_nothing_and_when_there_is_room_all_goes_on_by_itself(
    service: ledger.Process, books: Path, pod: ledger.Watchdog
) -> None:
    volume = Volume(service, books)
    assert volume.path.stat().st_dev != books.parent.stat().st_dev, "the control: it is another volume"
    volume.fill()
    refused(pod, pod.sequence + 1)
    until(service, 503, "full")
    assert service.page("/healthz")[0] == 200, "a restart would not help"
    assert failing(service).endswith(" 1.0")
    volume.clear()
    until(service, 200)
    assert failing(service).endswith(" 0.0")
    lease = pod.sync(wants=(documents.Want(ledger.TOKENS, 1_000),)).leases[0]
    assert lease.amount == 1_000, "nothing of it was lent before"


def test_i07_a_volume_that_can_only_be_read_grants_nothing_and_one_that_can_be_written_again_all(
    service: ledger.Process, books: Path, pod: ledger.Watchdog
) -> None:
    volume = Volume(service, books)
    volume.fill()  # what is open stays writable: a first failure closes it
    refused(pod, pod.sequence + 1)
    volume.clear()
    volume.mount("mount", "--bind", str(books))
    volume.mount("mount", "-o", "remount,ro,bind")
    until(service, 503)
    time.sleep(3)
    until(service, 503)
    refused(pod, pod.sequence + 1)
    assert service.process.poll() is None
    volume.mount("umount", "--lazy")
    until(service, 200)
    assert pod.sync(wants=(documents.Want(ledger.TOKENS, 1_000),)).leases[0].amount == 1_000


def test_a_ledger_whose_volume_cannot_be_written_says_so_and_ends(
    tmp_path: Path, books: Path, api: ledger.FakeApi, authority: Authority
) -> None:
    where = {"ZAUM_SQLITE_FILE": str(books / "ledger.db")}
    with (
        pytest.raises(RuntimeError, match="cannot be written: Read-only file system"),
        ledger.running(tmp_path, api, authority, where, wrapper=seeing("ro", books)),
    ):
        pass
