"""A cluster on which nothing is enforced for a while, and what is left of it when the run ends in the middle."""

import contextlib

import pytest

from tests.cluster import cluster, lifecycle, namespaces


class MiddleError(Exception):
    """What ends the run in the middle."""


@pytest.mark.parametrize("ended", [None, MiddleError, KeyboardInterrupt])
def test_the_engine_ends_first_and_starts_last_however_the_run_ends(
    monkeypatch: pytest.MonkeyPatch, ended: type[BaseException] | None
) -> None:
    # While it is dead `status` calls the cluster unhealthy and `up` makes a new one: so at no moment in between, where
    # the run may be killed, can a cluster that enforces nothing pass for a healthy one.
    done: list[str] = []
    monkeypatch.setattr(lifecycle, "stop", lambda name: done.append(f"stop {name}"))
    monkeypatch.setattr(lifecycle, "restart", lambda name: done.append(f"restart {name}"))
    monkeypatch.setattr(namespaces, "ask_nobody", lambda: done.append("ask nobody"))
    monkeypatch.setattr(namespaces, "ask_again", lambda: done.append("ask again"))
    with contextlib.suppress(*([ended] if ended else [])), cluster.unenforced():
        done.append("meanwhile")
        if ended:
            raise ended
    engine = "kube-network-policies"
    assert done == [f"stop {engine}", "ask nobody", "meanwhile", "ask again", f"restart {engine}"]
