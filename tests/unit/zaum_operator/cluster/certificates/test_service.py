"""What the replica that leads does with the Secrets, on a simulated API server."""

import logging

import pytest
from cryptography import x509

from tests.support.certificates import DAY, NAMESPACE, Replica, Rig
from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.certificates import rotation
from zaum_operator.core import kinds

CA, GATEWAY, AUTHORIZER = contract.CA_SECRET, contract.GATEWAY_TLS_SECRET, contract.AUTHORIZER_TLS_SECRET


def authorities(rig: Rig, name: str = CA) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(rig.data(name)["ca.crt"])


def issued_by(rig: Rig, name: str, index: int) -> bool:
    leaf = x509.load_pem_x509_certificate(rig.data(name)["tls.crt"])
    return leaf.issuer == authorities(rig)[index].subject


def test_a_first_installation_is_ready_after_one_turn(rig: Rig) -> None:
    assert rig.one.turn()
    assert rig.data(CA).keys() == {"revision", "ca.crt", "tls.crt", "tls.key"}
    pairs = {"tls.crt", "tls.key", "ca.crt", "revision", "root-revision"}
    assert rig.data(GATEWAY).keys() == pairs | {"client.crt", "client.key"}
    assert rig.data(AUTHORIZER).keys() == pairs
    assert rig.data(GATEWAY)["ca.crt"] == rig.data(AUTHORIZER)["ca.crt"] == rig.data(CA)["ca.crt"]
    assert issued_by(rig, GATEWAY, 0)


def test_a_steady_state_writes_nothing(rig: Rig) -> None:
    rig.one.turn()
    rig.pass_time(60)
    before = len(rig.api.writes)
    assert not rig.one.turn()
    rig.one.restart()
    assert not rig.one.turn()
    assert not rig.other.turn()
    assert len(rig.api.writes) == before


def test_two_leaders_in_a_row_make_one_authority(rig: Rig) -> None:
    rig.one.turn()
    first = rig.data(CA)
    assert not rig.other.turn(), "its volume is empty still: every write is refused"
    assert rig.data(CA) == first
    rig.pass_time(60)
    assert not rig.other.turn()
    assert rig.data(CA) == first


def test_a_leader_that_dies_after_its_first_write_is_followed_up(rig: Rig) -> None:
    def only_the_root(verb: str, plural: str, name: str) -> errors.RequestError | None:
        return errors.UnavailableError("patch", 0, "timed out") if name in {GATEWAY, AUTHORIZER} else None

    rig.api.refuse = only_the_root
    assert rig.one.turn()
    assert rig.data(GATEWAY) == {}
    rig.api.refuse = lambda verb, plural, name: None
    rig.pass_time(60)
    assert rig.other.turn()
    assert len(authorities(rig)) == 1
    assert issued_by(rig, GATEWAY, 0)


def test_leafs_are_renewed_at_two_thirds_of_their_life_and_the_authority_stays(rig: Rig) -> None:
    rig.one.turn()
    before = rig.data(CA)["ca.crt"]
    rig.pass_time(59 * DAY)
    assert not rig.one.turn()
    old = rig.data(GATEWAY)["tls.key"]
    rig.pass_time(1.1 * DAY)
    assert rig.one.turn()
    assert rig.data(GATEWAY)["tls.key"] != old, "a fresh key"
    assert rig.data(CA)["ca.crt"] == before


def age(rig: Rig) -> None:
    """Let so much time pass that the authority is due, and its leafs are renewed meanwhile."""
    for _ in range(5):
        rig.pass_time(45 * DAY)
        rig.calm(rig.one, minutes=1)
    rig.pass_time(20 * DAY)


def test_an_authority_is_followed_by_the_next_with_overlapping_trust(rig: Rig) -> None:
    rig.one.turn()
    age(rig)
    (old,) = authorities(rig)
    assert rig.one.turn()
    assert authorities(rig).index(old) == 0
    assert len(authorities(rig)) == 2
    assert rig.data(GATEWAY)["ca.crt"] == rig.data(CA)["ca.crt"]
    assert issued_by(rig, GATEWAY, 0), "nothing is signed by it before everybody can know it"
    rig.pass_time(60)
    rig.one.turn()
    assert issued_by(rig, GATEWAY, 0)
    rig.pass_time(300)
    rig.one.turn()
    assert issued_by(rig, AUTHORIZER, 1)
    assert issued_by(rig, GATEWAY, 1)
    assert len(authorities(rig)) == 2, "the old leafs may still be somewhere"
    rig.calm(rig.one, minutes=10)
    (left,) = authorities(rig)
    assert left != old
    assert rig.data(AUTHORIZER)["ca.crt"] == rig.data(CA)["ca.crt"]


def test_a_change_settles_only_once_the_kubelet_has_brought_it(rig: Rig) -> None:
    rig.one.turn()
    age(rig)
    assert rig.one.turn()
    rig.pass_time(290, sync=False)
    rig.one.turn()
    rig.pass_time(60)
    rig.one.turn()
    assert issued_by(rig, GATEWAY, 0), "made 350 s ago, brought 60 s ago at the earliest"
    rig.pass_time(300)
    rig.one.turn()
    assert issued_by(rig, GATEWAY, 1)


def test_leafs_wait_for_a_watchdog_that_has_not_been_told(rig: Rig) -> None:
    rig.one.turn()
    labels = {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE, contract.LABEL_POLICY: "slow"}
    rig.api.put(kinds.POD, {"metadata": {"name": "zaum-slow-0-abcde", "namespace": "agents", "labels": labels}})
    age(rig)
    assert rig.one.turn()
    rig.calm(rig.one)
    assert len(authorities(rig)) == 2
    assert issued_by(rig, GATEWAY, 0)
    rig.api.remove(kinds.POD, "agents", "zaum-slow-0-abcde")
    rig.pass_time(60)
    rig.one.turn()
    rig.pass_time(300)
    rig.one.turn()
    assert issued_by(rig, GATEWAY, 1)


def test_a_secret_that_somebody_emptied_is_filled_again(rig: Rig) -> None:
    rig.one.turn()
    rig.pass_time(60)
    rig.one.turn()
    authority = rig.data(CA)
    rig.api.edit(kinds.SECRET, NAMESPACE, GATEWAY, {"data": None})
    rig.pass_time(60)
    assert rig.one.turn()
    assert issued_by(rig, GATEWAY, 0)
    assert rig.data(CA) == authority


def test_a_lost_root_is_made_anew_and_the_old_one_stays_trusted_meanwhile(rig: Rig) -> None:
    rig.one.turn()
    rig.pass_time(60)
    rig.one.turn()
    (old,) = authorities(rig)
    rig.api.edit(kinds.SECRET, NAMESPACE, CA, {"data": None})
    rig.pass_time(60)
    assert rig.one.turn()
    assert authorities(rig)[0] == old
    assert len(authorities(rig)) == 2
    assert issued_by(rig, GATEWAY, 0)
    rig.calm(rig.one)
    assert len(authorities(rig)) == 1
    assert authorities(rig)[0] != old
    assert issued_by(rig, GATEWAY, 0)


def test_everybody_is_looked_at_again_when_the_volume_shows_other_authorities(rig: Rig) -> None:
    rig.one.turn()
    assert rig.one.told == 0, "the volume is empty still, and reconciles read the volume"
    rig.pass_time(1)
    rig.one.turn()
    assert rig.one.told == 1
    rig.pass_time(60)
    rig.one.turn()
    assert rig.one.told == 1


def test_pods_of_ours_are_touched_so_that_their_kubelets_bring_the_files(rig: Rig) -> None:
    rig.put_pod("zaum-gateway-1")
    rig.one.turn()
    pod = rig.api.objects["pods", NAMESPACE, "zaum-gateway-1"]
    assert pod["metadata"]["annotations"][contract.ANNOTATION_CERTIFICATES]
    rig.pass_time(60)
    before = len(rig.api.writes)
    rig.one.turn()
    assert len(rig.api.writes) == before


def test_metrics_say_when_each_certificate_ends(rig: Rig) -> None:
    rig.one.turn()
    rig.pass_time(1)
    rig.one.turn()
    assert rig.one.metric(CA) == pytest.approx((rig.clock.at.timestamp() + 365 * DAY), abs=5)
    for name in (f"{GATEWAY}/tls", f"{GATEWAY}/client", f"{AUTHORIZER}/tls"):
        assert rig.one.metric(name) == pytest.approx((rig.clock.at.timestamp() + 90 * DAY), abs=5)


def test_a_refusal_is_logged_once_and_shown_as_an_event(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.api.refuse = lambda verb, plural, name: (
        errors.ForbiddenError(f"patch secrets {name}", 403, "no right") if plural == "secrets" else None
    )
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            rig.one.turn()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["certificates: not renewed, tried again: patch secrets zaum-ca: 403: no right"]
    (event,) = rig.api.all(kinds.EVENT)
    assert event["reason"] == "CertificatesNotRenewed"
    assert event["involvedObject"]["name"] == CA
    rig.api.refuse = lambda verb, plural, name: None
    assert rig.one.turn()
    assert len(rig.api.all(kinds.EVENT)) == 1


def test_a_volume_that_stays_behind_is_said_after_a_while(rig: Rig) -> None:
    rig.one.turn()
    for _ in range(rotation.REFUSALS):
        rig.other.turn()
    (event,) = rig.api.all(kinds.EVENT)
    assert "stays behind" in event["message"]


def test_a_root_that_was_put_back_to_an_older_state_is_said_and_overwrites_nothing(rig: Rig) -> None:
    rig.one.turn()
    rig.pass_time(60)
    older = rig.api.objects["secrets", NAMESPACE, CA]["data"]
    age(rig)
    rig.one.turn()
    rig.pass_time(60)
    rig.one.turn()
    rig.api.edit(kinds.SECRET, NAMESPACE, CA, {"data": older})
    rig.put_pod("zaum-operator-1")
    rig.pass_time(600)
    gateway, before = rig.data(GATEWAY), len(rig.api.writes)
    for _ in range(rotation.REFUSALS):
        assert not rig.one.turn()
    assert rig.data(GATEWAY) == gateway
    (event,) = rig.api.all(kinds.EVENT)
    assert "take its data away" in event["message"]
    assert len(rig.api.writes) - before < 10, "kubelets are not asked again and again"
    rig.api.edit(kinds.SECRET, NAMESPACE, CA, {"data": None})
    rig.pass_time(60)
    assert rig.one.turn()
    rig.calm(rig.one)
    assert len(authorities(rig)) == 1
    assert issued_by(rig, GATEWAY, 0)


def test_i15_no_key_reaches_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        rig.one.turn()
        rig.pass_time(244 * DAY)
        rig.one.turn()
        rig.calm(rig.one)
    assert caplog.records
    assert "PRIVATE" not in caplog.text
    assert "BEGIN" not in caplog.text


def test_certificates_of_others_are_only_handed_on(rig: Rig) -> None:
    external = Replica(rig.api, rig.clock, rig.directory / "external", ZAUM_CERTIFICATES="External")
    external.turn()
    external.volume.write({f"{CA}/ca.crt": b"-----BEGIN CERTIFICATE-----"})
    assert not external.turn()
    assert external.told == 1
    assert rig.api.writes == []
