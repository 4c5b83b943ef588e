"""The certificates themselves, as two strict TLS stacks see them."""

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from zaum_operator.cluster.certificates import issue
from zaum_operator.core.certificates.stored import HOLDERS, Wanted

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
SERVER = Wanted("tls", "gateway.zaum.dev", server=True)
CLIENT = Wanted("client", "gateway-client.zaum.dev", server=False)


@pytest.fixture(scope="module")
def authority() -> issue.Pair:
    return issue.authority(now=NOW, life=YEAR)


def handshake(directory: Path, root: issue.Pair, server: issue.Pair, client: issue.Pair, *, name: str) -> None:
    """Shake hands in memory, both sides showing certificates; raises what a side objects to."""
    for stem, pair in (("server", server), ("client", client)):
        (directory / f"{stem}.crt").write_bytes(pair.certificate)
        (directory / f"{stem}.key").write_bytes(pair.key)
    trusted = root.certificate.decode()
    there = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=trusted)
    there.verify_mode = ssl.CERT_REQUIRED
    there.load_cert_chain(directory / "server.crt", directory / "server.key")
    here = ssl.create_default_context(cadata=trusted)
    here.load_cert_chain(directory / "client.crt", directory / "client.key")
    for context in (here, there):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    a_in, a_out, b_in, b_out = (ssl.MemoryBIO() for _ in range(4))
    sides = [here.wrap_bio(a_in, a_out, server_hostname=name), there.wrap_bio(b_in, b_out, server_side=True)]
    for _ in range(4):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            b_in.write(a_out.read())
            a_in.write(b_out.read())
    sides[1].do_handshake()


def test_a_strict_stack_takes_both_leafs(authority: issue.Pair, tmp_path: Path) -> None:
    server, client = (issue.leaf(wanted, authority, now=NOW, life=YEAR) for wanted in (SERVER, CLIENT))
    handshake(tmp_path, authority, server, client, name="gateway.zaum.dev")


def test_a_leaf_of_one_purpose_does_not_serve_the_other(authority: issue.Pair, tmp_path: Path) -> None:
    server, client = (issue.leaf(wanted, authority, now=NOW, life=YEAR) for wanted in (SERVER, CLIENT))
    with pytest.raises(ssl.SSLError, match="unsuitable certificate purpose"):
        handshake(tmp_path, authority, client, client, name="gateway-client.zaum.dev")
    with pytest.raises(ssl.SSLError, match="unsuitable certificate purpose"):
        handshake(tmp_path, authority, server, server, name="gateway.zaum.dev")


def test_an_authority_signs_leafs_and_nothing_else(authority: issue.Pair) -> None:
    certificate = x509.load_pem_x509_certificate(authority.certificate)
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)  # type: ignore[union-attr]


@pytest.mark.parametrize("wanted", [leaf for leafs in HOLDERS.values() for leaf in leafs], ids=str)
def test_a_leaf_has_one_name_and_one_purpose(authority: issue.Pair, wanted: Wanted) -> None:
    certificate = x509.load_pem_x509_certificate(issue.leaf(wanted, authority, now=NOW, life=YEAR).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [wanted.dns_name]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if wanted.server else ExtendedKeyUsageOID.CLIENT_AUTH
    assert [*certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [purpose]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_leaf_ends_with_its_authority(authority: issue.Pair) -> None:
    late = issue.leaf(SERVER, authority, now=NOW + timedelta(days=300), life=timedelta(days=90))
    root = x509.load_pem_x509_certificate(authority.certificate)
    assert x509.load_pem_x509_certificate(late.certificate).not_valid_after_utc == root.not_valid_after_utc


def test_no_two_certificates_share_a_serial_number_or_a_key(authority: issue.Pair) -> None:
    made = [issue.leaf(SERVER, authority, now=NOW, life=YEAR) for _ in range(5)]
    serials = {x509.load_pem_x509_certificate(pair.certificate).serial_number for pair in made}
    assert len(serials) == len({pair.key for pair in made}) == 5


def test_a_leaf_is_known_by_the_authority_that_signed_it(authority: issue.Pair) -> None:
    other = issue.authority(now=NOW, life=YEAR)
    leaf = issue.leaf(SERVER, authority, now=NOW, life=YEAR)
    (mark,) = issue.bundle(authority.certificate)
    shown = issue.shown(leaf.certificate, other.certificate + authority.certificate)
    assert shown is not None
    assert shown.issuer == mark
    stranger = issue.shown(leaf.certificate, other.certificate)
    assert stranger is not None
    assert stranger.issuer == ""


def test_an_authority_with_another_ones_key_signs_nothing(authority: issue.Pair) -> None:
    other = issue.authority(now=NOW, life=YEAR)
    (mark,) = issue.bundle(authority.certificate)
    assert issue.signs(authority, mark)
    assert not issue.signs(issue.Pair(authority.certificate, other.key), mark)
    assert not issue.signs(other, mark)
    for broken in (issue.Pair(b"", b""), issue.Pair(authority.certificate, b"x"), issue.Pair(b"x", authority.key)):
        assert not issue.signs(broken, mark)
        with pytest.raises(issue.UnusableError):
            issue.leaf(SERVER, broken, now=NOW, life=YEAR)


def test_what_cannot_be_read_is_nothing() -> None:
    assert issue.bundle(b"") == issue.bundle(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n") == {}
    assert issue.shown(b"", b"") is None


def test_i15_a_pair_says_nothing_of_itself(authority: issue.Pair) -> None:
    assert repr(authority) == f"{authority}" == "Pair(…)"
