"""What ceilings add up to, and what they do to a policy."""

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from tests.support.planned import Planned
from zaum_api import contract, documents
from zaum_api.v1alpha1 import policy
from zaum_egress import hosts
from zaum_operator.core import ceiling, ceilings, effective, kinds, refusals
from zaum_operator.core.ceiling import Cap, Ceiling
from zaum_operator.core.ceilings import Ceilings

DOCUMENT = contract.CONFIG_KEYS[documents.CONFIG_VERSION]
LABELS = {"team": "a"}
DIGEST = "@sha256:" + "0" * 64
POOL = {"scheduling": {"nodeSelector": [{"key": "pool", "values": ["agents", "spare"]}]}}
REGISTRY = {"images": {"registries": ["registry.example/"]}}
TAINT = {"scheduling": {"tolerations": [{"key": "agents", "operator": "Exists"}]}}


def read(name: str = "c", **fields: Any) -> Ceiling:
    spec = {"namespaceSelector": {}} | fields
    return ceiling.read({"metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec})


def meet(*found: Ceiling) -> Ceilings:
    return ceilings.of_namespace(found, LABELS)


# What they add up to


def test_without_a_ceiling_there_are_no_caps_and_no_grants() -> None:
    assert meet() == ceilings.NONE
    assert meet(read(namespaceSelector={"matchLabels": {"team": "b"}}, replicas=0)) == ceilings.NONE


@pytest.mark.parametrize("case", specs.GOOD_CEILINGS, ids=lambda case: case.title)
def test_every_good_ceiling_is_read_whole(case: specs.Case) -> None:
    assert ceiling.read(case.manifest()).problem == ""


@pytest.mark.parametrize(
    "case", [case for case in specs.BAD_CEILINGS if not case.title.startswith("a name")], ids=lambda case: case.title
)
def test_i01_a_bad_ceiling_that_got_past_admission_starts_nothing(case: specs.Case) -> None:
    found = ceiling.read(case.manifest())
    assert found.problem
    assert ceilings.of_namespace([found], None).invalid


def test_the_least_cap_holds_and_names_its_ceiling() -> None:
    rest = read("c", resources={"cpu": "1500m", "memory": "1Gi"})
    found = meet(read("b", replicas=5), read("a", replicas=2), rest)
    assert found.cap(Cap.REPLICAS) == ceilings.Stated("a", 2)
    assert meet(read("a", replicas=5), read("b", replicas=2)).cap(Cap.REPLICAS) == ceilings.Stated("b", 2)
    assert found.cap(Cap.CPU) == ceilings.Stated("c", 1500)
    assert found.cap(Cap.MEMORY) == ceilings.Stated("c", 2**30)
    assert found.cap(Cap.LIFETIME) is None


def test_a_grant_needs_all_that_speak_of_it_and_one_at_least() -> None:
    both = read("a", access=["Exec", "Attach"])
    assert meet(read("x", replicas=1)).access == ()
    assert meet(both, read("x", replicas=1)).access == (contract.Access.ATTACH, contract.Access.EXEC)
    assert meet(both, read("b", access=["Exec"])).access == (contract.Access.EXEC,)
    assert meet(both, read("b", access=[])).access == ()


def test_one_ceiling_is_enough_to_block_images_and_one_that_says_no_takes_nothing_back() -> None:
    blocking, free = read("b", incidents={"blockImages": True}), read("a", incidents={"blockImages": False})
    assert meet(blocking, free).blocking == ("b",)
    assert meet(free).blocking == meet().blocking == ()
    spec = policy.Spec.model_validate(specs.agent())
    shown = {item.field: item for item in effective.resolve(spec, meet(blocking, free)).fields}
    assert shown["incidents.blockImages"] == documents.EffectiveField(
        "incidents.blockImages", "true (AgentCeiling b)", documents.Source.CEILING
    )
    assert "incidents.blockImages" not in {item.field for item in effective.resolve(spec, meet(free)).fields}


STATED: dict[str, list[Any]] = {
    "incidents": [{"blockImages": True}, {"blockImages": False}],
    "replicas": [0, 1, 7],
    "limits": [{"connections": 3}, {"requests": {"perMinute": 5}}, {"requests": {"perMinute": 5, "burst": 1}}],
    "resources": [{"cpu": "1"}, {"cpu": "1000m", "memory": "1Gi"}],
    "hosts": [{"allowed": []}, {"allowed": ["*.example.com"]}, {"allowed": ["docs.example.com", "a.example.org"]}],
    "images": [{"requireDigest": True}, {"registries": ["registry.example/"]}],
    "runtimeClasses": [["gvisor"], ["gvisor", "kata"]],
    "lifetime": [{"max": "1h"}, {"max": "60m"}],
    "ingress": ["Allowed", "Denied"],
    "access": [[], ["Exec"], ["Exec", "Attach"]],
    "identity": [{"audiences": ["x"]}, {"audiences": []}],
    "scheduling": [POOL["scheduling"], TAINT["scheduling"]],
    "novelty": [1],
    "namespaceSelector": [{}, {"matchLabels": {"team": "a"}}, {"matchLabels": {"team": "b"}}, {"matchFields": []}],
}
SPECS = st.fixed_dictionaries(
    {"namespaceSelector": st.sampled_from(STATED["namespaceSelector"])},
    optional={name: st.sampled_from(values) for name, values in STATED.items() if name != "namespaceSelector"},
)
CEILINGS = st.lists(SPECS, max_size=4).map(
    lambda found: [read(f"c{index}", **spec) for index, spec in enumerate(found)]
)


@given(CEILINGS)
def test_their_order_never_matters(found: list[Ceiling]) -> None:
    assert {repr(meet(*order)) for order in itertools.permutations(found)} == {repr(meet(*found))}


@given(CEILINGS, SPECS)
def test_another_ceiling_never_widens_a_cap(found: list[Ceiling], more: dict[str, Any]) -> None:
    before, after = meet(*found), meet(*found, read("more", **more))
    for cap, stated in before.caps:
        tightened = after.cap(cap)
        assert tightened is not None
        assert tightened.value <= stated.value
    assert set(before.hosts) <= set(after.hosts)
    assert set(before.registries) <= set(after.registries)
    assert set(before.digest) <= set(after.digest)
    assert set(before.runtime_classes) <= set(after.runtime_classes)
    assert set(before.ingress_denied) <= set(after.ingress_denied)
    assert set(before.invalid) <= set(after.invalid)
    assert set(before.nodes) <= set(after.nodes)
    assert set(before.tolerations) <= set(after.tolerations)
    if before.access:  # where nobody spoke of it, speaking of it is what grants it
        assert set(after.access) <= set(before.access)


def test_i01_a_ceiling_that_cannot_be_read_forbids_whatever_it_selects() -> None:
    shut = meet(ceiling.read({"metadata": {"name": "c"}, "spec": {"namespaceSelector": {}, "replicas": "many"}}))
    assert [stated.ceiling for stated in shut.invalid] == ["c"]
    assert shut.hosts == (ceilings.Stated("c", ()),)
    assert shut.cap(Cap.CONNECTIONS) == ceilings.Stated("c", 0)
    elsewhere = {"namespaceSelector": {"matchLabels": {"team": "b"}}, "replicas": "many"}
    assert meet(ceiling.read({"metadata": {"name": "c"}, "spec": elsewhere})) == ceilings.NONE
    assert meet(ceiling.read({"metadata": {"name": "c"}, "spec": None})).invalid
    newer = {"key": "team", "operator": "Gt", "values": ["1"]}
    strange: dict[str, Any]
    for strange in ({"matchFields": []}, {"matchExpressions": [newer]}):
        assert meet(ceiling.read({"metadata": {"name": "c"}, "spec": {"namespaceSelector": strange}})).invalid


def test_a_field_of_a_newer_api_leaves_the_other_caps_in_force() -> None:
    found = meet(read(novelty=1, limits={"connections": 3, "dreams": 1}))
    assert found.cap(Cap.CONNECTIONS) == ceilings.Stated("c", 3)
    assert "spec.limits.dreams" in found.invalid[0].value
    assert "spec.novelty" in found.invalid[0].value


def test_labels_that_are_not_known_are_no_way_around() -> None:
    assert ceilings.of_namespace([read(namespaceSelector={"matchLabels": {"team": "b"}})], None).invalid
    assert ceilings.of_namespace([], None) == ceilings.NONE


# What cannot be lowered


@pytest.mark.parametrize(
    ("title", "agent", "given", "refused"),
    [
        ("its registry", {}, {"images": {"registries": ["registry.example/"]}}, ""),
        ("another registry", {}, {"images": {"registries": ["registry.example/team/", "other.example/"]}}, "image"),
        ("a longer name", {"image": "registry.example.org/a"}, REGISTRY, "image"),
        ("no registry", {"image": "team/agent"}, {"images": {"registries": ["team/"]}}, "image"),
        ("a bare name", {"image": "agent"}, {"images": {"registries": ["registry.example/"]}}, "image"),
        ("a port", {"image": "localhost:5000/a"}, {"images": {"registries": ["localhost:5000/"]}}, ""),
        ("no registry allowed", {}, {"images": {"registries": []}}, "image"),
        ("a digest", {}, {"images": {"requireDigest": True}}, ""),
        ("a tag", {"image": "registry.example/a:1"}, {"images": {"requireDigest": True}}, "image"),
        ("a short digest", {"image": "registry.example/a@sha256:00"}, {"images": {"requireDigest": True}}, "image"),
        ("a digest that nobody wants", {"image": "registry.example/a:1"}, {"images": {"requireDigest": False}}, ""),
        ("its runtime class", {"runtimeClassName": "gvisor"}, {"runtimeClasses": ["gvisor"]}, ""),
        ("another runtime class", {"runtimeClassName": "runc"}, {"runtimeClasses": ["gvisor"]}, "runtimeClassName"),
        ("no runtime class", {}, {"runtimeClasses": ["gvisor"]}, "runtimeClassName"),
        ("a node that is granted", {"nodeSelector": {"pool": "spare"}}, POOL, ""),
        ("another value", {"nodeSelector": {"pool": "system"}}, POOL, "nodeSelector"),
        ("another label", {"nodeSelector": {"pool": "spare", "gpu": "1"}}, POOL, "nodeSelector"),
        ("a node that nobody grants", {"nodeSelector": {"pool": "spare"}}, {}, "nodeSelector"),
        ("a taint that is granted", {"tolerations": [{"key": "agents", "effect": "NoSchedule"}]}, TAINT, ""),
        ("every taint", {"tolerations": [{"operator": "Exists"}]}, TAINT, "tolerations"),
        ("a taint that nobody grants", {"tolerations": [{"key": "agents"}]}, POOL, "tolerations"),
    ],
)  # fmt: skip
def test_what_cannot_be_lowered_is_refused(
    title: str, agent: dict[str, Any], given: dict[str, Any], refused: str
) -> None:
    world = Planned()
    world.ceiling("strict", **given)
    world.policy(specs.agent() | {"agent": specs.agent()["agent"] | agent})
    world.settle()
    if not refused:
        assert len(world.pods()) == 1, title
        return
    status, reason, message = world.condition()
    assert (status, reason, world.pods()) == ("False", "CeilingExceeded", [])
    assert f"spec.agent.{refused}" in message
    assert "AgentCeiling" in message


def test_i01_an_image_that_is_forbidden_later_takes_its_pods_down_and_the_cage_stays() -> None:
    world = Planned()
    world.policy()
    world.settle()
    world.run_pods()
    world.settle()
    assert world.condition()[0] == "True"
    world.ceiling("strict", images={"registries": ["other.example/"]})
    world.settle()
    assert world.pods() == []
    assert world.condition()[:2] == ("False", "CeilingExceeded")
    assert world.condition("Isolated")[0] == "True"
    assert world.api.names(kinds.NETWORK_POLICY) == [contract.GUARD_NAME, "zaum-researcher"]


def test_i01_a_ceiling_that_cannot_be_read_starts_nothing_and_leaves_what_runs_without_egress() -> None:
    world = Planned()
    world.policy(specs.hosts("docs.example.com") | {"agent": specs.agent(replicas=2)["agent"]})
    world.settle()
    world.run_pods()
    world.settle()
    world.ceiling("newer", replicas="many")
    world.end(world.pods()[0], code=1)
    world.now = world.now.replace(hour=23)
    world.settle()
    assert len(world.pods()) == 1
    assert world.condition()[:2] == ("False", "CeilingInvalid")
    assert "newer" in world.condition()[2]
    config = documents.WatchdogConfig.parse(world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode())
    assert (config.hosts, config.requests.per_minute) == ((), 0)


# What can be lowered


def test_every_clamp_is_enforced_and_shown_with_its_ceiling() -> None:
    world = Planned()
    world.ceiling("small", replicas=1, limits={"requests": {"perMinute": 6, "burst": 2}, "connections": 3},
                  resources={"cpu": "250m", "memory": "64Mi", "ephemeralStorage": "64Mi", "workspace": "64Mi"},
                  lifetime={"max": "1h"}, ingress="Denied", identity={"audiences": []})  # fmt: skip
    world.policy(specs.FULL | {"agent": specs.agent(replicas=3)["agent"]})
    world.settle()
    (pod,) = world.pods()
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "250m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
    assert pod["spec"]["activeDeadlineSeconds"] == 3600
    config = documents.WatchdogConfig.parse(world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode())
    assert (config.requests, config.connections) == (documents.RequestRate(6, 2), 3)
    assert config.runaway.cpu is not None
    assert config.runaway.cpu.limit_millis == 250
    assert world.api.all(kinds.SERVICE) == []
    clamped = {field: value for field, value in world.effective().items() if "AgentCeiling small" in value}
    assert clamped == {
        "agent.replicas": "1 (AgentCeiling small)",
        "agent.resources.cpu": "250m (AgentCeiling small)",
        "agent.resources.memory": "64Mi (AgentCeiling small)",
        "agent.resources.ephemeralStorage": "64Mi (AgentCeiling small)",
        "agent.workspace.size": "64Mi (AgentCeiling small)",
        "limits.requests.perMinute": "6 (AgentCeiling small)",
        "limits.requests.burst": "2 (AgentCeiling small)",
        "limits.connections": "3 (AgentCeiling small)",
        "lifetime.max": "1h (AgentCeiling small)",
        "ingress": "none (AgentCeiling small)",
        "identity.token.audience": "none (AgentCeiling small)",
    }
    sources = {item["field"] for item in world.api.all(kinds.POLICY)[0]["status"]["effective"]["fields"]
               if item["source"] == "Ceiling"}  # fmt: skip
    assert sources == set(clamped)
    assert world.condition("IdentityBound")[:2] == ("False", "CeilingExceeded")


def test_i03_an_audience_that_is_forbidden_later_is_taken_from_running_agents_whatever_their_replicas_do() -> None:
    world = Planned()
    world.policy(specs.agent(replicas=2) | {"identity": {"token": {"audience": "https://tools.example"}}})
    world.settle()
    world.run_pods()
    world.settle()
    holding, broken = world.pods()
    world.end(broken, code=1)
    world.ceiling("c", identity={"audiences": []})
    world.step()
    world.api.finish_deletions()
    left = {pod["metadata"]["uid"] for pod in world.pods()}
    assert holding["metadata"]["uid"] not in left
    world.settle()
    assert world.pods()
    assert "zaum-identity" not in str(world.pods())


@pytest.mark.parametrize(
    ("capped", "asked", "burst"),
    [
        ({"perMinute": 6}, {"perMinute": 6, "burst": 1000}, 6),
        ({"perMinute": 6}, {"burst": 1000}, 6),
        ({"perMinute": 6}, {}, 6),
        ({"perMinute": 0}, {"burst": 1000}, 0),
        ({"perMinute": 6, "burst": 20}, {"burst": 1000}, 20),
        ({"burst": 20}, {"burst": 1000}, 20),
        ({"perMinute": 600}, {}, 10),
    ],
)
def test_a_burst_is_no_way_around_a_cap_on_the_rate(capped: dict[str, int], asked: dict[str, int], burst: int) -> None:
    world = Planned()
    world.ceiling("small", limits={"requests": capped})
    world.policy(specs.agent() | {"limits": {"requests": asked}})
    world.settle()
    config = documents.WatchdogConfig.parse(world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode())
    assert config.requests.burst == burst


def test_a_ceiling_that_allows_more_changes_nothing() -> None:
    world, free = Planned(), Planned()
    world.ceiling("large", replicas=100, limits={"requests": {"perMinute": 6000, "burst": 200}, "connections": 300},
                  resources={"cpu": "25", "memory": "64Gi"}, lifetime={"max": "720h"}, ingress="Allowed",
                  identity={"audiences": ["https://tools.example"]}, hosts={"allowed": ["*.example.com"]})  # fmt: skip
    spec = {**specs.FULL, "agent": specs.agent(replicas=3)["agent"]}
    for each in (world, free):
        each.policy(spec)
        each.settle()
    assert [pod["spec"] for pod in world.pods()] == [pod["spec"] for pod in free.pods()]
    assert world.effective() == free.effective()


@pytest.mark.parametrize(
    ("allowed", "asked", "inside"),
    [
        ("docs.example.com", "docs.example.com", True),
        ("docs.example.com", "*.example.com", False),
        ("*.example.com", "docs.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "*.b.example.com", False),
        ("*.b.example.com", "*.example.com", False),
        ("*.example.com", "docs.example.org", False),
        ("*.example.com", "docs.anexample.com", False),
    ],
)
def test_i05_a_host_must_lie_inside_what_is_allowed(allowed: str, asked: str, inside: bool) -> None:
    patterns = [hosts.parse_pattern(text) for text in (allowed, asked)]
    assert all(isinstance(pattern, hosts.Pattern) for pattern in patterns)
    assert refusals.allows_host((patterns[0],), patterns[1]) is inside  # type: ignore[arg-type]


def test_hosts_outside_are_dropped_and_named_with_the_ceiling() -> None:
    world = Planned()
    world.ceiling("docs", hosts={"allowed": ["*.example.com"]})
    world.ceiling("more", hosts={"allowed": ["docs.example.com", "a.example.org"]})
    world.policy(specs.hosts("docs.example.com", "b.example.com", "a.example.org"))
    world.settle()
    effective = documents.Effective.read(world.api.all(kinds.POLICY)[0]["status"]["effective"])
    assert [rule.host for rule in effective.hosts] == ["docs.example.com"]
    status, reason, message = world.condition("EgressExact")
    assert (status, reason) == ("False", "CeilingExceeded")
    assert "b.example.com lies outside what is allowed by AgentCeiling more" in message
    assert "a.example.org lies outside what is allowed by AgentCeiling docs" in message


def test_access_is_granted_on_the_guard_and_said() -> None:
    world = Planned()
    world.ceiling("debug", access=["Exec", "Attach"])
    world.policy()
    world.settle()

    def granted() -> str | None:
        guard = world.api.objects[("networkpolicies", "agents", contract.GUARD_NAME)]
        value: str | None = (guard["metadata"].get("annotations") or {}).get(contract.ANNOTATION_ACCESS)
        return value

    assert granted() == "Attach,Exec"
    assert world.condition("Degraded")[:2] == ("False", "AsInstalled"), "the second key is the namespace's label"
    world.labels |= {contract.LABEL_ACCESS: contract.LABEL_ACCESS_VALUE}
    world.settle()
    assert world.condition("Degraded")[:2] == ("True", "AccessRelaxed")
    assert world.sweep() == [], "plan and sweep agree"
    world.ceiling("strict", access=["Exec"])
    assert len(world.sweep()) == 1
    assert granted() == "Exec"
    assert world.settle() != []
    world.ceiling("stricter", access=[])
    world.settle()
    assert granted() is None
    assert world.condition("Degraded")[:2] == ("False", "AsInstalled")
    world.api.edit(kinds.NETWORK_POLICY, "agents", contract.GUARD_NAME,
                   {"metadata": {"annotations": {contract.ANNOTATION_ACCESS: "Exec"}}})  # fmt: skip
    world.settle()
    assert granted() is None, "i11: nobody grants by hand"


def test_the_api_servers_own_audience_is_refused() -> None:
    world = Planned()
    world.site = dataclasses.replace(world.site, api_audiences=("https://api.example",))
    world.policy(specs.spec(identity={"token": {"audience": "https://api.example"}}))
    world.settle()
    assert world.condition("IdentityBound")[:2] == ("False", "AudienceRefused")
    assert "zaum-identity" not in {volume["name"] for volume in world.pods()[0]["spec"]["volumes"]}
