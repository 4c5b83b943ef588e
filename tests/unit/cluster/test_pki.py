"""Certificates say who somebody is, and are good for the addresses by which the API server is reached."""

import base64
import datetime
import ipaddress
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.cluster import addresses, pki

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
AUTHORITY = pki.Authority(now=NOW)
BY_FILE = {leaf.file: leaf for leaf in pki.PLAN}


def issue(file: str) -> x509.Certificate:
    """Return a fresh certificate of the plan."""
    return AUTHORITY.issue(BY_FILE[file])[1]


@pytest.mark.parametrize(
    ("file", "user", "group"),
    [
        ("admin", "kubernetes-admin", "system:masters"),
        ("kubelet", "system:node:zaum-node", "system:nodes"),
        ("controller-manager", "system:kube-controller-manager", None),
        ("scheduler", "system:kube-scheduler", None),
        ("proxy", "system:kube-proxy", None),
        ("network-policies", pki.NETWORK_POLICIES_USER, None),
        ("kwok", pki.KWOK_USER, None),
    ],
)
def test_a_certificate_names_its_user_and_group(file: str, user: str, group: str | None) -> None:
    subject = issue(file).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [user]
    groups = [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ([group] if group else [])


def test_the_api_servers_certificate_is_good_for_every_way_to_it() -> None:
    names = issue("apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    reached = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", addresses.NODE_IPV4, addresses.API_SERVICE_IPV4} <= reached
    assert {"localhost", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))


def test_certificates_are_signed_by_the_authority_and_bounded_in_time() -> None:
    certificate = issue("admin")
    certificate.verify_directly_issued_by(AUTHORITY.certificate)
    assert certificate.not_valid_after_utc == NOW + pki.LIFETIME
    assert certificate.not_valid_before_utc < NOW


def test_an_address_is_not_taken_for_a_name() -> None:
    assert pki.alternative_name("fd00::1") == x509.IPAddress(ipaddress.ip_address("fd00::1"))
    assert pki.alternative_name("localhost") == x509.DNSName("localhost")


def test_a_kubeconfig_points_to_the_nodes_loopback_and_holds_its_keys() -> None:
    document = pki.kubeconfig(authority=b"ca", certificate=b"crt", key=b"key")
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    assert cluster["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"ca"
    assert base64.b64decode(user["client-key-data"]) == b"key"


def test_everything_is_written_for_root_alone(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki.write(folder, now=NOW)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    written = {path.name for path in folder.iterdir()}
    assert {"ca.crt", "ca.key", "sa.key", "sa.pub", "apiserver.crt", "apiserver.key", "admin.conf"} <= written
    assert "apiserver.conf" not in written
    assert yaml.safe_load((folder / "admin.conf").read_text())["current-context"] == "zaum"
