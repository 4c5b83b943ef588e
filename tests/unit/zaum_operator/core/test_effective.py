"""What is enforced for a spec, and where each value comes from."""

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from zaum_api import documents
from zaum_api.documents import Source
from zaum_api.v1alpha1 import egress, policy
from zaum_operator.core import effective


def resolve(spec: dict[str, object]) -> effective.Effective:
    return effective.resolve(policy.Spec.model_validate(spec))


def test_i01_empty_absent_and_null_are_the_same_locked_agent() -> None:
    bare = resolve(specs.agent())
    assert bare == resolve({**specs.agent(), "egress": {}, "limits": {}, "runaway": {}})
    assert bare == resolve({**specs.agent(), "egress": None, "limits": {"requests": None}, "runaway": {"cpu": {}}})
    assert bare.hosts == ()
    assert bare.runaway == documents.Runaway(
        cpu=documents.CpuDetector(above_percent=90, for_seconds=120, limit_millis=500),
        processes=documents.ProcessDetector(above=128, for_seconds=5),
        denied=documents.DeniedDetector(above=20, per_seconds=60),
        memory=documents.MemoryDetector(growth_per_minute=32 * 2**20, for_seconds=300),
        forks=documents.ForkDetector(above=20_000, per_seconds=60),
        files=documents.FileDetector(above=8192, for_seconds=30),
        repeated=documents.RepeatedDetector(same=30, per_seconds=60),
        errors=documents.ErrorDetector(above_percent=90, of_at_least=30, per_seconds=120),
        no_progress=documents.NoProgressDetector(tokens=200_000, for_seconds=600),
        egress_bytes=documents.EgressDetector(above=2**30, per_seconds=600),
        starved=documents.StarvedDetector(late_seconds=5, for_seconds=60),
    )


@pytest.mark.parametrize(
    ("requests", "rate", "burst"),
    [({}, 60, 10), ({"perMinute": 3}, 3, 3), ({"perMinute": 0}, 0, 0), ({"perMinute": 0, "burst": 50}, 0, 0),
     ({"burst": 0}, 60, 0), ({"perMinute": 3, "burst": 9}, 3, 9)],
)  # fmt: skip
def test_i01_zero_is_none_and_a_burst_nobody_asked_for_is_no_more_than_a_minutes_worth(
    requests: dict[str, int], rate: int, burst: int
) -> None:
    found = resolve(specs.limits(requests=requests)).requests
    assert (found.per_minute, found.burst) == (rate, burst)


def test_a_detector_goes_off_by_name_only() -> None:
    found = resolve(specs.runaway(cpu={"enabled": False}, denied={"enabled": True})).runaway
    assert found.cpu is None
    assert found.processes is not None
    assert found.denied is not None


@pytest.mark.parametrize(
    ("detector", "chosen", "attribute", "seen"),
    [
        ("memory", {"growthPerMinute": "1.5Mi", "for": "2m"}, "memory", documents.MemoryDetector(1_572_864, 120)),
        ("forks", {"above": 9, "per": "2s"}, "forks", documents.ForkDetector(9, 2)),
        ("files", {"above": 9, "for": "2s"}, "files", documents.FileDetector(9, 2)),
        ("repeated", {"same": 9, "per": "2s"}, "repeated", documents.RepeatedDetector(9, 2)),
        ("errors", {"abovePercent": 9, "ofAtLeast": 8, "per": "2s"}, "errors", documents.ErrorDetector(9, 8, 2)),
        ("noProgress", {"tokens": 9, "for": "2s"}, "no_progress", documents.NoProgressDetector(9, 2)),
        ("egressBytes", {"above": "1k", "per": "2s"}, "egress_bytes", documents.EgressDetector(1000, 2)),
        ("starved", {"lateBy": "9s", "for": "2m"}, "starved", documents.StarvedDetector(9, 120)),
    ],
)
def test_a_detector_is_tuned_or_switched_off_by_name(
    detector: str, chosen: dict[str, object], attribute: str, seen: object
) -> None:
    tuned = resolve(specs.runaway(**{detector: chosen}))
    assert getattr(tuned.runaway, attribute) == seen
    sources = {item.field: item.source for item in tuned.fields if item.field.startswith(f"runaway.{detector}.")}
    assert sources.pop(f"runaway.{detector}.enabled") is Source.DEFAULT
    assert {name.rpartition(".")[2] for name in sources} == set(chosen)
    assert set(sources.values()) == {Source.POLICY}
    assert getattr(resolve(specs.runaway(**{detector: {"enabled": False}})).runaway, attribute) is None


def test_what_follows_on_a_breach_says_its_source() -> None:
    assert resolve(specs.agent()).containment == documents.Containment()
    found = resolve(specs.containment(onRunaway="Throttle", killsBeforeQuarantine=0, onBudget="Cut"))
    assert found.containment == documents.Containment(documents.Step.THROTTLE, 0, documents.Step.CUT)
    assert documents.EffectiveField("containment.killsBeforeQuarantine", "0", Source.POLICY) in found.fields
    assert documents.EffectiveField("containment.onBudget", "Cut", Source.POLICY) in found.fields


def test_what_the_operator_answers_by_itself_stands_in_the_status_with_its_source() -> None:
    found = resolve(specs.containment(onTampering="Quarantine", onCrashLoop="Kill"))
    said = {item.field: (item.value, item.source) for item in found.fields if item.field.startswith("containment.on")}
    assert said["containment.onTampering"] == ("Quarantine", Source.POLICY)
    assert said["containment.onCrashLoop"] == ("Kill", Source.POLICY)
    assert said["containment.onWidenedEgress"] == ("Ignore", Source.DEFAULT)


def test_idle_is_for_whoever_asks_for_it() -> None:
    assert resolve(specs.agent()).runaway.idle is None
    found = resolve(specs.spec(lifetime={"idle": "30m"}))
    assert found.runaway.idle == documents.IdleDetector(1800)
    assert documents.EffectiveField("lifetime.idle", "30m", Source.POLICY) in found.fields


def test_every_value_says_its_source() -> None:
    found = resolve(specs.limits(connections=0))
    by_name = {item.field: item for item in found.fields}
    assert by_name["limits.connections"] == documents.EffectiveField("limits.connections", "0", Source.POLICY)
    assert by_name["agent.resources.memory"].source is Source.DEFAULT
    assert len(found.fields) == len(by_name) <= documents.EFFECTIVE_FIELDS_MAX


def test_the_document_is_one_that_the_authorizer_reads() -> None:
    for case in specs.GOOD:
        document = resolve(case.spec).document()
        assert documents.Effective.read(document.write()) == document


def test_i05_hosts_are_those_of_the_one_parser_and_others_are_named() -> None:
    found = resolve(specs.hosts("*.example.com", "xn--0.example.com"))
    assert [rule.host for rule in found.hosts] == ["*.example.com"]
    assert [item.host for item in found.refused] == ["xn--0.example.com"]


@pytest.mark.parametrize("case", [case for case in specs.GOOD if "egress" in case.spec], ids=lambda case: case.title)
def test_every_host_that_the_schema_takes_is_one_that_the_parser_takes(case: specs.Case) -> None:
    assert resolve(case.spec).refused == ()


@given(st.from_regex(egress.HOST_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 253 and "xn--" not in name))
def test_i05_a_host_that_the_api_takes_is_one_that_the_parser_takes_as_it_stands(name: str) -> None:
    try:
        egress.Host(host=name)
    except pydantic.ValidationError:
        return  # a rule refused it; the table of specs says which
    assert resolve(specs.hosts(name)).hosts == (documents.HostRule(name),)
