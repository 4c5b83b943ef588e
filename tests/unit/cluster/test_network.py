"""The commands that make the network stay inside the two namespaces and fail closed."""

import pytest

from tests.cluster import addresses, components, network

ALL = [*network.make(), *network.queue_rules(), *network.unasking_rules()]
RULES = [" ".join(command[command.index("-A") + 1 :]) for command in network.queue_rules()]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_names_one_of_our_namespaces(command: list[str]) -> None:
    names = {addresses.NODE_NETNS, addresses.WORLD_NETNS}
    entered = {part.removeprefix("--net=/run/netns/") for part in command if part.startswith("--net=")}
    if command[0] == "nsenter":
        assert entered < names
    else:
        assert command[:3] == ["ip", "netns", "add"] or command[:2] == ["ip", "-n"]
        assert names & set(command)


def test_both_families_get_the_same_rules() -> None:
    counts = {tool: sum(tool in command for command in network.queue_rules()) for tool in ("iptables", "ip6tables")}
    assert counts["ip6tables"] == counts["iptables"] + 1  # rp_filter exists for IPv4 only


def test_the_queue_drops_when_nobody_listens() -> None:
    queued = [rule for rule in RULES if "NFQUEUE" in rule]
    assert len(queued) == 4
    assert all(f"--queue-num {components.QUEUE_NUMBER}" in rule and "bypass" not in rule for rule in queued)


def test_what_asks_nobody_for_a_while_takes_just_the_asking_away() -> None:
    taken = network.unasking_rules()
    assert [[{"-D": "-A"}.get(word, word) for word in command] for command in taken] == network.asking_rules()
    assert len(taken) == 4


def test_what_is_taken_away_was_the_last_of_its_chain_where_it_is_added_again() -> None:
    rules = network.queue_rules()
    for asking in network.asking_rules():
        chain = asking[: asking.index("-A") + 2]
        assert [rule for rule in rules if rule[: len(chain)] == chain][-1] == asking


def test_what_the_kernel_cannot_track_is_dropped_before_it_could_pass_the_queue() -> None:
    forward = [rule for rule in RULES if rule.startswith("FORWARD")]
    assert "INVALID,UNTRACKED -j DROP" in forward[0]
    assert "NFQUEUE" in forward[1]


def test_the_nodes_own_packets_are_not_asked_about() -> None:
    assert not [rule for rule in RULES if rule.startswith(("OUTPUT", "POSTROUTING"))]


@pytest.mark.parametrize("address", [*addresses.WORLD_ADDRESSES_IPV4, *addresses.WORLD_ADDRESSES_IPV6])
def test_the_world_has_each_of_its_addresses_on_its_loopback(address: str) -> None:
    added = [c for c in network.make() if c[:3] == ["ip", "-n", addresses.WORLD_NETNS] and c[-1] != network.LINK]
    assert any(command[5].split("/")[0] == address and "lo" in command for command in added if command[3] == "addr")


def test_the_world_has_no_default_route_and_does_not_forward() -> None:
    world = [" ".join(command) for command in network.world_routes()]
    assert not [command for command in world if "default" in command]
    assert any("ip_forward=0" in command and "forwarding=0" in command for command in world)
