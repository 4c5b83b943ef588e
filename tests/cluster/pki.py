"""Make the cluster's certificate authority, its certificates and kubeconfigs: new keys for each start."""

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster import addresses

LIFETIME: Final = datetime.timedelta(days=30)
CLOCK_SKEW: Final = datetime.timedelta(hours=1)
NETWORK_POLICIES_USER: Final = "zaum:network-policies"
KWOK_USER: Final = "zaum:kwok"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One certificate: who it is for, the names and addresses it serves, and whether it gets a kubeconfig."""

    file: str
    common_name: str
    organization: str | None = None
    names: tuple[str, ...] = ()
    kubeconfig: bool = True


PLAN: Final = (
    Leaf(
        file="apiserver",
        common_name="kube-apiserver",
        names=(
            "127.0.0.1",
            "::1",
            addresses.NODE_IPV4,
            addresses.NODE_IPV6,
            addresses.API_SERVICE_IPV4,
            "localhost",
            addresses.NODE_NAME,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ),
        kubeconfig=False,
    ),
    Leaf(
        file="apiserver-kubelet",
        common_name="kube-apiserver-kubelet-client",
        organization="system:masters",
        kubeconfig=False,
    ),
    Leaf(
        file="kubelet",
        common_name=f"system:node:{addresses.NODE_NAME}",
        organization="system:nodes",
        names=("127.0.0.1", addresses.NODE_IPV4, addresses.NODE_IPV6, addresses.NODE_NAME),
    ),
    Leaf(file="admin", common_name="kubernetes-admin", organization="system:masters"),
    Leaf(file="controller-manager", common_name="system:kube-controller-manager"),
    Leaf(file="scheduler", common_name="system:kube-scheduler"),
    Leaf(file="proxy", common_name="system:kube-proxy"),
    Leaf(file="network-policies", common_name=NETWORK_POLICIES_USER),
    Leaf(file="kwok", common_name=KWOK_USER),
)


def alternative_name(name: str) -> x509.GeneralName:
    """Turn an address or a DNS name into the right kind of subject alternative name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def subject(common_name: str, organization: str | None = None) -> x509.Name:
    """Return a subject as Kubernetes reads it: CN is the user, O the group."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


class Authority:
    """A certificate authority that lives for one cluster."""

    def __init__(self, *, now: datetime.datetime) -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = subject("zaum-cluster-ca")
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        self.certificate = (
            self._builder(name, self.key.public_key())
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - CLOCK_SKEW)
            .not_valid_after(self.now + LIFETIME)
        )

    def issue(self, leaf: Leaf) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """Make a key and a certificate for both ends of TLS."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = (
            self._builder(subject(leaf.common_name, leaf.organization), key.public_key())
            .issuer_name(self.certificate.subject)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(purposes, critical=False)
        )
        if leaf.names:
            names = x509.SubjectAlternativeName([alternative_name(name) for name in leaf.names])
            builder = builder.add_extension(names, critical=False)
        return key, builder.sign(self.key, hashes.SHA256())


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Return an unencrypted private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def kubeconfig(*, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """Return a kubeconfig for the API server on the node's loopback, all PEM inlined."""

    def inline(data: bytes) -> str:
        return base64.b64encode(data).decode()

    server = f"https://127.0.0.1:{addresses.API_PORT}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "zaum", "cluster": {"server": server, "certificate-authority-data": inline(authority)}}],
        "users": [
            {
                "name": "zaum",
                "user": {"client-certificate-data": inline(certificate), "client-key-data": inline(key)},
            }
        ],
        "contexts": [{"name": "zaum", "context": {"cluster": "zaum", "user": "zaum"}}],
        "current-context": "zaum",
    }


def write(folder: Path, *, now: datetime.datetime) -> None:
    """Write ca, every planned leaf (.crt, .key, .conf) and the service accounts' signing key (sa.key, sa.pub)."""
    folder.mkdir(parents=True, mode=0o700)
    authority = Authority(now=now)
    authority_pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.crt").write_bytes(authority_pem)
    (folder / "ca.key").write_bytes(pem(authority.key))
    for leaf in PLAN:
        key, certificate = authority.issue(leaf)
        certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
        (folder / f"{leaf.file}.crt").write_bytes(certificate_pem)
        (folder / f"{leaf.file}.key").write_bytes(pem(key))
        if leaf.kubeconfig:
            config = kubeconfig(authority=authority_pem, certificate=certificate_pem, key=pem(key))
            (folder / f"{leaf.file}.conf").write_text(yaml.safe_dump(config))
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(pem(signing))
    public = signing.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)
