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


def test_every_value_says_its_source() -> None:
    found = resolve(specs.limits(connections=0))
    by_name = {item.field: item for item in found.fields}
    assert by_name["limits.connections"] == documents.EffectiveField("limits.connections", "0", Source.POLICY)
    assert by_name["agent.resources.memory"].source is Source.DEFAULT
    assert len(found.fields) == len(by_name) <= 64


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
