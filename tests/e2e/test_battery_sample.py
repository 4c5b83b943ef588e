"""One variant of each line of the battery: nothing gets out, and every control says that this means something."""

import pathlib

import pytest

from tests.battery import around, lines, people, table
from tests.battery.play import Play
from tests.support.e2e.api import Api


@pytest.mark.alone
@pytest.mark.world
@pytest.mark.node
def test_a_hostile_agent_that_knows_its_policy_gets_out_in_no_attempt(
    api: Api, images: dict[str, str], tmp_path: pathlib.Path
) -> None:
    result = Play(api, images["demo-agent"], tuple(set(lines.GROUPS) - around.PLAYS.keys()), sampled=True).run(tmp_path)
    said = "\n".join(table.lines(result))
    print(said)
    assert not result.fails(strict=False), said


def assert_nothing_got_through(api: Api, images: dict[str, str], *groups: int) -> None:
    outcomes, alarms = around.play(api, images["demo-agent"], groups, print, sampled=True)
    result = table.Result(outcomes, alarms, ())
    said = "\n".join(table.lines(result))
    print(said)
    assert not result.fails(strict=True), said


@pytest.mark.alone
def test_people_with_all_rights_change_nothing_of_ours_by_hand(api: Api, images: dict[str, str]) -> None:
    assert_nothing_got_through(api, images, people.GROUP)


@pytest.mark.alone
@pytest.mark.world
@pytest.mark.node
def test_nothing_leaks_and_nothing_weakens_whoever_dies_and_whatever_is_written(
    api: Api, images: dict[str, str]
) -> None:
    assert_nothing_got_through(api, images, *around.PLAYS.keys() - {people.GROUP})
