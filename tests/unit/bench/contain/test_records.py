"""Files that others write are read on, also when they are rotated."""

import contextlib
import json
from pathlib import Path

from bench.contain import records


def written(path: Path, *lines: object) -> None:
    with path.open("a") as opened:
        opened.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def test_what_was_there_before_is_passed_over_and_half_a_line_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path, {"proto": "https", "n": 0})
    with contextlib.closing(records.Lines(path, b'"https"')) as lines, path.open("a") as opened:
        written(path, {"proto": "https", "n": 1}, {"proto": "tcp", "n": 2})
        opened.write('{"proto":"https",')
        opened.flush()
        assert lines.read() == [{"proto": "https", "n": 1}]
        opened.write('"n":3}\n')
        opened.flush()
        assert lines.read() == [{"proto": "https", "n": 3}]


def test_nothing_is_lost_by_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path)
    with contextlib.closing(records.Lines(path, b"n")) as lines:
        written(path, {"n": 1})
        path.rename(tmp_path / "log.1")
        written(tmp_path / "log.1", {"n": 2})
        written(path, {"n": 3})
        assert lines.read() == [{"n": 1}, {"n": 2}, {"n": 3}]
        written(path, {"n": 4})
        assert lines.read() == [{"n": 4}]


def test_the_world_tells_talk_from_asking_for_orders(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path)
    with contextlib.closing(records.Ear(path)) as ear:
        for at, target in enumerate(["/shelf/ns.a", "/?talk=ns.a", "/?talk=ns.b", "/other"]):
            written(path, {"t": at, "proto": "https", "detail": {"target": target}})
        ear.listen()
        assert ear.heard("ns.a") == [0, 1]
        assert ear.heard("ns.b") == [2]


def test_the_last_removal_that_succeeded_counts(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    written(path)

    def removal(second: int, code: int = 200, **more: object) -> dict[str, object]:
        return {
            "stage": "ResponseComplete", "requestReceivedTimestamp": f"2026-01-01T00:00:0{second}.5Z",
            "verb": "delete", "responseStatus": {"code": code},
            "objectRef": {"resource": "pods", "namespace": "ns", "name": "zaum-a", **more},
        }  # fmt: skip

    pod = {"metadata": {"namespace": "ns", "name": "zaum-a"}}
    with contextlib.closing(records.Removals(path)) as removals:
        assert removals.of(pod) is None
        others = (removal(3, 409), removal(4, name="zaum-b"), removal(5, resource="secrets"))
        written(path, removal(1), removal(2), *others)
        found = removals.of(pod)
    assert found is not None
    assert found % 60 == 2.5
