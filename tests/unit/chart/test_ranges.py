"""What the gateway's NetworkPolicy excludes holds every range that the address rules call unreachable."""

import ipaddress
from pathlib import Path

import pytest
import yaml

from zaum_egress import addresses

VALUES = yaml.safe_load((Path(__file__).resolve().parents[3] / "charts/zaum/values.yaml").read_text())
EXCLUDED = [ipaddress.ip_network(text) for text in VALUES["network"]["deniedRanges"]]
DOCUMENTATION = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"]


def excluded(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return any(address.version == network.version and address in network for network in EXCLUDED)


@pytest.mark.parametrize("network", [network for network, _ in addresses.DENIED], ids=str)
def test_i05_every_denied_range_is_excluded(network: addresses.Network) -> None:
    assert any(network.version == wide.version and network.subnet_of(wide) for wide in EXCLUDED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "5f00::1",
        "4000::1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "255.255.255.255",
        "0.0.0.0",
    ],
)
def test_i05_no_disguise_is_reachable(address: str) -> None:
    assert excluded(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00::1", *DOCUMENTATION])
def test_the_outside_is_reachable(address: str) -> None:
    assert not excluded(address)


def test_a_network_policy_takes_the_ranges() -> None:
    for network in EXCLUDED:
        assert network.prefixlen > 0, "an exception must be narrower than what it is taken from"
    assert len(set(EXCLUDED)) == len(EXCLUDED)
