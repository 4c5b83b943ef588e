"""A claim that the world's or the kernel's record belies is found."""

from tests.chaos.history import Object
from tests.chaos.loop import world
from tests.chaos.loop.world import Witnessed


def incident(**steps: str) -> Object:
    lines = [{"step": step, "at": f"1970-01-01T00:00:{at}Z", "confirmedBy": "x"} for step, at in steps.items()]
    return {"metadata": {"name": "i"}, "status": {"timeline": lines}}


def seen(heard: tuple[float, ...] = (1.0, 2.0, 9.99), ended: float | None = 11.0) -> Witnessed:
    return Witnessed("p", "uid", heard=list(heard), ended=ended)


def wrongs(witnessed: Witnessed) -> list[str]:
    return list(world.wrongs(incident(Cut="10.000", Killed="12.000"), [witnessed]))


def test_what_was_heard_and_ended_before_its_claims_is_right() -> None:
    assert wrongs(seen()) == []


def test_an_agent_that_is_heard_after_its_cut_was_claimed_is_found() -> None:
    assert wrongs(seen(heard=(1.0, 2.0, 3.0, 10.25))) == ["i claims Cut, and the world hears p 1 times after, 0.250 s"]


def test_an_agent_that_lives_when_its_death_is_claimed_is_found() -> None:
    assert wrongs(seen(ended=12.5)) == ["i claims Killed 0.500 s before the process of p ended"]
    assert wrongs(seen(ended=None)) == ["i claims Killed, and the process of p was not seen to end"]


def test_a_mute_agent_proves_nothing() -> None:
    assert wrongs(seen(heard=(1.0,))) == ["i: the control: the world heard p 1 times"]


def test_what_is_not_claimed_needs_no_proof() -> None:
    assert list(world.wrongs(incident(), [seen(heard=(1.0, 2.0, 3.0), ended=None)])) == []
