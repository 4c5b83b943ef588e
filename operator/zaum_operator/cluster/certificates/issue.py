"""Make and read certificates: the only module that imports the library which does.

Keys are ECDSA P-256 and leave this module as PEM for a Secret; nothing in here or above logs one. X.509 as RFC 5280.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zaum_operator.core.certificates import view
from zaum_operator.core.certificates.stored import Wanted

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""A certificate is valid from a little before now: the nodes' clocks are not the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Say nothing: a key must not reach a log by a traceback."""
        return "Pair(…)"


class UnusableError(ValueError):
    """What is in the Secret is no authority that can sign; the message repeats none of it."""


def authority(*, now: datetime, life: timedelta) -> Pair:
    """Make an authority that may sign leafs and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Each has a name of its own, so that a chain is never tried with the wrong one.
    name = _name(f"Zaum {serial:040x}")
    builder = (
        _builder(name, name, key.public_key(), serial, now=now, until=now + life, life=life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _signed(builder, key, key)


def leaf(wanted: Wanted, issuer: Pair, *, now: datetime, life: timedelta) -> Pair:
    """Make a leaf for one name and one purpose; it ends with its issuer at the latest. UnusableError: no issuer."""
    root, signer = _opened(issuer)
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if wanted.server else ExtendedKeyUsageOID.CLIENT_AUTH
    until = min(now + life, root.not_valid_after_utc)
    serial = x509.random_serial_number()
    identifier = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    builder = (
        _builder(_name(wanted.dns_name), root.subject, key.public_key(), serial, now=now, until=until, life=life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(wanted.dns_name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _signed(builder, key, signer)


def bundle(pem: bytes) -> dict[str, tuple[view.Authority, bytes]]:
    """Read a bundle: by mark, in its order, each authority with its own PEM. Empty where it cannot be read."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return {}
    return {
        _mark(item): (
            view.Authority(_mark(item), item.not_valid_before_utc, item.not_valid_after_utc),
            item.public_bytes(serialization.Encoding.PEM),
        )
        for item in certificates
    }


def shown(pem: bytes, trusted: bytes) -> view.Leaf | None:
    """Read a leaf; its issuer is the one of `trusted` that really signed it. None where it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        candidates = x509.load_pem_x509_certificates(trusted)
    except ValueError:
        return None
    issuer = next((_mark(item) for item in candidates if _issued(certificate, item)), "")
    return view.Leaf(issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def signs(pair: Pair, mark: str) -> bool:
    """Say whether this is the authority of that mark, with its own key."""
    try:
        certificate, key = _opened(pair)
    except UnusableError:
        return False
    return _mark(certificate) == mark and certificate.public_key() == key.public_key()


def _opened(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError) as error:
        raise UnusableError("the root Secret holds no readable authority") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnusableError("the root Secret's key is no ECDSA key")
    return certificate, key


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _mark(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    *,
    now: datetime,
    until: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(serial)
    return builder.not_valid_before(now - min(CLOCKS_DIFFER, life / 20)).not_valid_after(until)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )  # fmt: skip
