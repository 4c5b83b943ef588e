"""How images are keyed, and what the Containerfiles say."""

import json
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.images import builds, recipes
from zaum_api import contract

REPOSITORY = pathlib.Path(__file__).parents[3]
IMAGES = sorted(recipes.IMAGES)

APT = """\
http://mirror.example/debian/ bookworm-updates main Debian
http://mirror.example/debian/ bookworm contrib Debian
http://mirror.example/debian/ bookworm main Debian
http://tools.example/apt/ stable main Tools
"""


def containerfile(name: str) -> str:
    return (REPOSITORY / recipes.IMAGES[name].containerfile).read_text()


def test_copied_paths_are_what_comes_from_the_repository() -> None:
    text = """
    # COPY commented /x
    FROM base AS builder
    COPY --from=wheels . /wheels
    COPY --chown=1:1 one two/three \\
         four /code/
    ADD five /code
    FROM base
    COPY --from=builder /code /opt
    """
    assert recipes.copied_paths(text) == ("one", "two/three", "four", "five")


@pytest.mark.parametrize("name", IMAGES)
def test_what_a_containerfile_copies_is_in_the_repository(name: str) -> None:
    paths = recipes.copied_paths(containerfile(name))
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("operator", contract.COMPONENT_UID),
        ("authorizer", contract.COMPONENT_UID),
        ("ledger", contract.COMPONENT_UID),
        ("gateway", contract.COMPONENT_UID),
        ("watchdog", contract.WATCHDOG_UID),
        ("demo-agent", contract.AGENT_UID),
        ("clients", contract.AGENT_UID),
    ],
)
def test_each_image_runs_as_the_contract_s_user(name: str, uid: int) -> None:
    final_stage = containerfile(name).rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", final_stage, re.MULTILINE) == [f"{uid}:{uid}"]


@pytest.mark.parametrize("name", IMAGES)
def test_the_base_is_an_argument_whose_default_names_no_registry(name: str) -> None:
    default = re.search(r"^ARG BASE=(\S+)$", containerfile(name), re.MULTILINE)
    assert default is not None
    assert "/" not in default[1]
    stages = re.findall(r"^FROM (\S+)", containerfile(name), re.MULTILINE)
    assert set(stages) <= {"${BASE}", "base"}


@pytest.mark.parametrize("name", IMAGES)
def test_dependencies_are_installed_by_hash_and_without_an_index(name: str) -> None:
    [command] = re.findall(r"pip install (?:.*\\\n)*.*", containerfile(name))
    assert {"--no-index", "--require-hashes", "--no-deps"} <= set(command.split())
    assert f"/wheels/{recipes.IMAGES[name].lock}.txt" in command


@pytest.mark.parametrize("lock", sorted({lock for image in recipes.IMAGES.values() for lock in image.locks}))
def test_a_lock_names_a_hash_for_each_package_and_no_index(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    packages = re.split(r"\n(?=\S)", text.strip())
    assert all(" --hash=sha256:" in package for package in packages)
    assert "://" not in text
    assert "--index" not in text


def test_the_watchdog_carries_the_contract_but_not_the_models() -> None:
    ours = {path for path in recipes.copied_paths(containerfile("watchdog")) if path.startswith("crds/")}
    assert ours == {f"crds/zaum_api/{name}" for name in ("__init__.py", "contract.py", "documents", "reading.py")}


def test_the_mirror_is_the_machine_s_own_main_archive() -> None:
    assert recipes.mirror_of(APT) == "http://mirror.example/debian/"


@pytest.mark.parametrize("listed", ["", "http://tools.example/apt/ stable main Tools\n", "http://x/ trixie main\n"])
def test_without_a_debian_archive_there_is_no_mirror(listed: str) -> None:
    assert recipes.mirror_of(listed) is None


def test_the_base_s_key_follows_its_containerfile() -> None:
    assert recipes.base_key("FROM scratch") != recipes.base_key("FROM scratch\nENV A=b")


def test_the_base_is_verified_by_debian_s_keyring() -> None:
    command = recipes.bootstrap_command(mirror="http://mirror.example/debian/", output=pathlib.Path("/out/root.tar"))
    assert f"--keyring={recipes.DEBIAN_KEYRING}" in command
    assert command[-3:] == ["trixie", "/out/root.tar", "http://mirror.example/debian/"]


_PARTS = st.lists(st.tuples(st.text(max_size=4), st.binary(max_size=4)), max_size=4)


@given(_PARTS, _PARTS)
def test_different_inputs_have_different_keys(first: list[tuple[str, bytes]], second: list[tuple[str, bytes]]) -> None:
    assert (recipes.digest_of(first) == recipes.digest_of(second)) == (first == second)


def test_wheels_are_fetched_for_the_image_s_python_by_hash() -> None:
    command = recipes.download_command(
        python="/usr/bin/python3", machine="x86_64", locks=[pathlib.Path("a.txt")], output=pathlib.Path("/out")
    )
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version=3.13", "--abi=cp313"} <= {
        *command
    }
    assert {"--platform=manylinux_2_41_x86_64", "--platform=manylinux_2_17_x86_64"} <= {*command}
    assert "--requirement=a.txt" in command


def test_builds_have_no_network_and_their_own_storage() -> None:
    tool = recipes.Buildah(storage=pathlib.Path("/cache/buildah"), policy=pathlib.Path("/policy.json"))
    command = tool.build(
        recipes.IMAGES["operator"], repository=pathlib.Path("/src"), wheels=pathlib.Path("/cache/wheels/operator")
    )
    assert command[:4] == ["unshare", "--net", "--", "buildah"]
    assert {"--root=/cache/buildah/root", "--runroot=/cache/buildah/run", "--pull=never"} <= {*command}
    assert {"--file=/src/images/operator.Containerfile", "--build-context=wheels=/cache/wheels/operator"} <= {*command}
    assert command[-1] == "/src"


def test_the_signature_policy_rejects_what_comes_from_elsewhere() -> None:
    policy = json.loads((builds.HERE / "policy.json").read_text())
    assert policy["default"] == [{"type": "reject"}]
    assert set(policy["transports"]) == {"containers-storage", "oci-archive"}


def test_a_reference_by_digest_keeps_the_repository() -> None:
    assert recipes.IMAGES["operator"].by_digest("sha256:ab") == "localhost/zaum-operator@sha256:ab"


def test_the_chart_takes_a_reference_by_tag_or_by_digest() -> None:
    by_tag = {name: image.reference for name, image in recipes.IMAGES.items()}
    values = recipes.chart_values(by_tag | {"operator": "localhost/zaum-operator@sha256:ab"})
    assert values["images.operator.repository"] == "localhost/zaum-operator"
    assert values["images.operator.digest"] == "sha256:ab"
    assert (values["images.gateway.repository"], values["images.gateway.tag"]) == ("localhost/zaum-gateway", "dev")
    assert values["images.pullPolicy"] == "IfNotPresent"
    assert not any("demo-agent" in key for key in values)
