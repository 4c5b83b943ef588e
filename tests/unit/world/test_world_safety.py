"""Where the world may run, where it listens, and what it writes down."""

import datetime
import pathlib
import ssl

import pytest

from tests.cluster import addresses
from tests.cluster.world import certificates, interfaces, plan, witness

NOW = datetime.datetime.now(datetime.UTC)  # OpenSSL compares with its own clock


@pytest.mark.parametrize(
    ("present", "named"),
    [
        ({"lo": "", "eth0": "virtio_net"}, "eth0"),
        ({"lo": "", "world0": "veth", "wg0": "wireguard"}, "wg0"),
        ({"lo": "", "tun0": "tun"}, "tun0"),
        ({"lo": "", "unknown0": ""}, "unknown0"),
        ({"lo": "", "a0": "veth", "b0": "veth"}, "a0, b0"),
    ],
)
def test_it_refuses_to_start_beside_any_other_interface(present: dict[str, str], named: str) -> None:
    refusal = interfaces.refusal(present)
    assert refusal is not None
    assert named in refusal


@pytest.mark.parametrize("present", [{"lo": ""}, {"lo": "", "world0": "veth"}])
def test_loopback_and_one_veth_are_fine(present: dict[str, str]) -> None:
    assert interfaces.refusal(present) is None


def test_the_interfaces_of_this_namespace_can_be_listed() -> None:
    assert "lo" in interfaces.present()


def test_every_address_of_the_world_listens_and_no_other() -> None:
    known = {*addresses.WORLD_ADDRESSES_IPV4, *addresses.WORLD_ADDRESSES_IPV6}
    assert {place.address for place in plan.PLACES} == known


def test_no_two_places_share_a_socket() -> None:
    sockets = [(place.address, place.port, place.kind in plan.DATAGRAM_KINDS) for place in plan.PLACES]
    assert len(sockets) == len(set(sockets))


def test_each_https_service_has_names_for_its_certificate() -> None:
    assert {place.service for place in plan.PLACES if place.kind is plan.Kind.HTTPS} == set(plan.CERTIFICATE_NAMES)


@pytest.mark.parametrize(
    ("asked", "trusted"), [("docs.example.com", True), ("198.51.100.10", True), ("llm.example.com", False)]
)
def test_a_certificate_is_valid_for_its_names_and_addresses_alone(asked: str, trusted: bool) -> None:
    authority = certificates.Authority(now=NOW)
    server = authority.server_context(["docs.example.com"], ["198.51.100.10"])
    client = ssl.create_default_context(cadata=authority.certificate_pem().decode())
    if trusted:
        handshake(client, server, asked)
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(client, server, asked)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """Shake hands in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert all(side.version() for side in sides)


def test_what_was_seen_can_be_read_again(tmp_path: pathlib.Path) -> None:
    record = witness.Witness(tmp_path)
    record.saw(service="outlaw", proto="udp", source=("10.244.0.7", 5), place=("198.51.100.66", 9999), bytes=3)
    [sighting] = witness.sightings(tmp_path)
    assert (sighting.src, sighting.dst, sighting.dport, sighting.detail) == (
        "10.244.0.7",
        "198.51.100.66",
        9999,
        {"bytes": 3},
    )
    assert list(witness.sightings(tmp_path, since=sighting.t + 1)) == []
    record.close()


def test_a_line_that_is_being_written_is_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / witness.LOG_NAME).write_text('{"t": 1')
    assert list(witness.sightings(tmp_path)) == []
