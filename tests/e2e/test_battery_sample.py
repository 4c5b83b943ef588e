"""One variant of each line of the battery: nothing gets out, and every control says that this means something."""

import pathlib

import pytest

from tests.battery import lines, table
from tests.battery.play import Play
from tests.support.e2e.api import Api


@pytest.mark.alone
@pytest.mark.world
@pytest.mark.node
def test_a_hostile_agent_that_knows_its_policy_gets_out_in_no_attempt(
    api: Api, images: dict[str, str], tmp_path: pathlib.Path
) -> None:
    result = Play(api, images["demo-agent"], tuple(lines.GROUPS), sampled=True).run(tmp_path)
    said = "\n".join(table.lines(result))
    print(said)
    assert not result.fails(strict=False), said
