"""The key of cached binaries changes whenever the binaries could."""

import dataclasses

import pytest

from tests.cluster import build, gomodules

GO_MOD = "module m\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes v1.37.2 // indirect\n\tk8s.io/api v0.37.2\n)\n"
KUBERNETES = next(module for module in gomodules.MODULES if module.name == "kubernetes")
EDIT = gomodules.Edit(module="k8s.io/kubernetes", file="a.go", find="one", replace="two")
RUNC = next(module for module in gomodules.MODULES if module.name == "runc")


def test_a_required_version_is_read_from_go_mod() -> None:
    assert gomodules.required_version(GO_MOD, "k8s.io/kubernetes") == "v1.37.2"
    assert gomodules.required_version("require k8s.io/api v0.37.2\n", "k8s.io/api") == "v0.37.2"


def test_a_module_that_is_not_required_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"k8s\.io/kube"):
        gomodules.required_version(GO_MOD, "k8s.io/kube")


def test_kubernetes_is_stamped_with_the_version_that_go_mod_requires() -> None:
    linker = gomodules.build_arguments(KUBERNETES, GO_MOD)[-1]
    assert linker.endswith("-X k8s.io/component-base/version.gitVersion=v1.37.2")


def test_only_runc_needs_a_c_compiler() -> None:
    cgo = {module.name: gomodules.build_environment(module)["CGO_ENABLED"] for module in gomodules.MODULES}
    assert {name for name, value in cgo.items() if value == "1"} == {"runc"}
    assert "seccomp" in gomodules.build_arguments(RUNC, GO_MOD)


def test_flags_from_outside_cannot_change_a_build() -> None:
    assert all(gomodules.build_environment(module)["GOFLAGS"] == "" for module in gomodules.MODULES)
    assert "-mod=readonly" in gomodules.build_arguments(RUNC, GO_MOD)


def test_the_key_is_stable() -> None:
    assert gomodules.cache_key(RUNC, GO_MOD, "sum") == gomodules.cache_key(RUNC, GO_MOD, "sum")
    assert gomodules.cache_key(RUNC, GO_MOD, "sum").startswith("runc-")


@pytest.mark.parametrize(
    ("module", "go_mod", "go_sum"),
    [
        (KUBERNETES, GO_MOD + "\n", "sum"),
        (KUBERNETES, GO_MOD, "another sum"),
        (KUBERNETES, GO_MOD.replace("v1.37.2", "v1.37.3"), "sum"),
        (dataclasses.replace(KUBERNETES, tags="extra"), GO_MOD, "sum"),
        (dataclasses.replace(KUBERNETES, cgo=True), GO_MOD, "sum"),
        (dataclasses.replace(KUBERNETES, edit=EDIT), GO_MOD, "sum"),
    ],
)
def test_the_key_changes_with_each_input(module: gomodules.GoModule, go_mod: str, go_sum: str) -> None:
    assert gomodules.cache_key(module, go_mod, go_sum) != gomodules.cache_key(KUBERNETES, GO_MOD, "sum")


def test_text_moved_from_go_mod_to_go_sum_is_another_key() -> None:
    assert gomodules.cache_key(RUNC, "ab", "c") != gomodules.cache_key(RUNC, "a", "bc")


def test_an_edit_changes_its_place_alone() -> None:
    assert EDIT.applied("zero one three") == "zero two three"


@pytest.mark.parametrize("text", ["zero", "one one"])
def test_an_edit_whose_place_is_not_there_once_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.go holds 'one' \d times, not once"):
        EDIT.applied(text)


def test_no_two_modules_make_the_same_binary() -> None:
    names = [name for module in gomodules.MODULES for name in module.binaries]
    assert len(names) == len(set(names))


def test_every_module_is_in_the_tree_with_both_files() -> None:
    for module in gomodules.MODULES:
        assert "tool " in (build.SOURCES / module.name / "go.mod").read_text()
        assert (build.SOURCES / module.name / "go.sum").is_file()


def test_every_module_that_names_a_stamp_requires_it() -> None:
    for module in gomodules.MODULES:
        assert gomodules.build_arguments(module, (build.SOURCES / module.name / "go.mod").read_text())
