"""Times come from records, and no claim may be earlier than what it claims."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.contain import times
from bench.contain.times import How, Part, Seen
from zaum_api import incidents

BEGUN = 1_790_000_000.0


def text(after: float) -> str:
    return f"{datetime.fromtimestamp(BEGUN + after, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def incident(
    claimed: dict[str, float], durations: dict[str, str] | None = None, observed: float | None = 0
) -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": text(0)},
        "spec": {"observedAt": text(observed)} if observed is not None else {},
        "status": {
            "timeline": [{"step": step, "at": text(at)} for step, at in claimed.items()],
            "durations": durations or {},
        },
    }


CLAIMED = {"RouteRemoved": 0.3, "Cut": 0.4, "Killed": 1.9, "IdentityDead": 2.2, "Quarantined": 2.1}
TOLD = {
    "cut": "0.00s", "cutConfirmed": "0.40s", "dead": "1.90s", "quarantined": "2.10s", "identity": "2.20s",
    "proof": "2.20s",
}  # fmt: skip
GOOD = Seen(
    name="wild-1", part=Part(How.QUARANTINE), begun=BEGUN, heard=[BEGUN - 1 + at / 50 for at in range(51)],
    exited=BEGUN + 1.5, finished=BEGUN + 1, gone=BEGUN + 2, incident=incident(CLAIMED, TOLD),
)  # fmt: skip


def but(**changes: Any) -> Seen:
    return dataclasses.replace(GOOD, **changes)


def test_what_happened_and_what_is_claimed_of_it_agree() -> None:
    assert times.wrong(GOOD) == []
    assert times.figures(GOOD) == pytest.approx(
        {"cut": 0.0, "dead": 1.5, "quarantined": 2.1, "identity": 2.2, "proof": 2.2}
    )
    assert times.before(GOOD) == pytest.approx(0.0)


def test_the_cut_is_the_last_that_the_world_heard() -> None:
    assert times.figures(but(heard=[*GOOD.heard, BEGUN + 0.07]))["cut"] == pytest.approx(0.07)


def test_a_kill_is_proven_without_a_quarantine() -> None:
    claimed = {step: at for step, at in CLAIMED.items() if step != "Quarantined"}
    kill = but(part=Part(How.KILL), incident=incident(claimed))
    assert times.wrong(kill) == []
    assert "quarantined" not in times.figures(kill)
    assert times.proof(kill) == pytest.approx(BEGUN + 2.2)


def test_only_the_first_claim_of_a_step_counts() -> None:
    twice = incident(CLAIMED)
    twice["status"]["timeline"].append({"step": "Quarantined", "at": text(9)})
    assert times.figures(but(incident=twice))["quarantined"] == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("step", "at", "said"),
    [
        ("Cut", -0.01, "Cut is claimed 0.010 s before it was so"),
        ("Killed", 1.498, "Killed is claimed 0.002 s before it was so"),
        ("IdentityDead", 1.99, "IdentityDead is claimed 0.010 s before it was so"),
        ("Quarantined", -0.01, "Quarantined is claimed 0.010 s before it was so"),
    ],
)
def test_a_claim_that_is_earlier_than_the_record_is_wrong(step: str, at: float, said: str) -> None:
    assert times.wrong(but(incident=incident(CLAIMED | {step: at}))) == [said]


def cut_by_word(at: float) -> dict[str, Any]:
    told = incident(CLAIMED, TOLD)
    for item in told["status"]["timeline"]:
        if item["step"] == "Cut":
            item["observedAt"] = text(at)
    return told


def test_a_watchdog_has_cut_when_the_world_hears_no_more_but_what_was_on_its_way() -> None:
    assert times.wrong(but(incident=cut_by_word(-0.04))) == []
    assert times.wrong(but(incident=cut_by_word(-0.06))) == [
        "a watchdog says that it had cut 0.060 s before the world heard the last"
    ]


def test_a_claim_is_cut_off_after_the_millisecond() -> None:
    assert times.wrong(but(exited=BEGUN + 1.9004)) == []


def test_nothing_dies_with_its_object_before_its_process() -> None:
    assert times.wrong(but(gone=BEGUN + 1, exited=BEGUN + 2.15, finished=None)) == [
        "no record of finishedAt",
        "Killed is claimed 0.250 s before it was so",
        "durations.dead is 1.90s, and it took 2.150 s",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"begun": None}, "no record of the beginning"),
        ({"gone": None}, "no record of the end of the pod's object"),
        ({"found": ("it is quarantined, and pod x is there",)}, "it is quarantined, and pod x is there"),
        ({"finished": BEGUN + 4}, "the kubelet says that the agent ended +2.5 s from when its process did"),
        ({"heard": []}, "the control failed: the world heard 0 requests"),
        (
            {"heard": [BEGUN - 2 + at / 50 for at in range(51)]},
            "the control failed: the world heard 51 requests, the last 1.00 s before",
        ),
        ({"incident": incident(CLAIMED, TOLD, observed=0.2)}, "observedAt is 0.200 s after the verdict"),
        ({"incident": incident(CLAIMED, {"dead": "1.40s"})}, "durations.dead is 1.40s, and it took 1.500 s"),
        (
            {"incident": incident(CLAIMED, {"cut": "0.10s"}), "heard": [*GOOD.heard, BEGUN + 0.2]},
            "durations.cut is 0.10s, and it took 0.200 s",
        ),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_said(changes: dict[str, Any], said: str) -> None:
    assert times.wrong(but(**changes)) == [said]


@pytest.mark.parametrize("step", list(incidents.STEPS))
def test_a_step_that_is_not_claimed_proves_nothing(step: incidents.Condition) -> None:
    claimed = {name: at for name, at in CLAIMED.items() if name != step.value}
    short = but(incident=incident(claimed))
    assert f"{step} was not claimed in time" in times.wrong(short)
    assert "proof" not in times.figures(short)


def test_by_hand_durations_count_from_the_incident_and_figures_from_the_command() -> None:
    told = incident(CLAIMED, TOLD, observed=None)
    by_hand = but(
        part=Part(How.HAND), begun=BEGUN - 0.5, incident=told, heard=[BEGUN - 1 + at / 50 for at in range(51)]
    )
    assert times.wrong(by_hand) == []
    assert times.figures(by_hand)["dead"] == pytest.approx(2.0)


@pytest.mark.parametrize(("logged", "observed", "since"), [(0.01, 0.0, 0.0), (0.0, 0.01, 0.0), (0.02, None, 0.02)])
def test_a_breach_counts_from_the_earlier_of_its_two_records(
    logged: float, observed: float | None, since: float
) -> None:
    assert times.verdict(BEGUN + logged, incident({}, observed=observed)) == pytest.approx(BEGUN + since)


def test_a_breach_that_the_watchdog_did_not_log_has_no_beginning() -> None:
    assert times.verdict(None, incident({})) is None


def test_throttling_counts_when_the_world_hears_less_afterwards() -> None:
    slow, fast = [BEGUN + 0.2 + at / 5 for at in range(20)], [BEGUN + 0.2 + at / 10 for at in range(40)]
    assert times.throttled([BEGUN + 0.15], slow, begun=BEGUN, share=5) == pytest.approx(0.15)
    assert times.throttled([BEGUN + 0.15], fast, begun=BEGUN, share=5) is None
    assert times.throttled([BEGUN - 0.15], slow, begun=BEGUN, share=5) is None
