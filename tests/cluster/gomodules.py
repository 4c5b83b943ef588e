"""List the Go modules whose tools make a node, and the key under which each is cached. No I/O."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A place of a dependency's source that is compiled otherwise: `find` stands once in `file` of `module`."""

    module: str
    file: str
    find: str
    replace: str

    def applied(self, text: str) -> str:
        """Return the file's text with the edit; ValueError where its place is not there once."""
        if text.count(self.find) != 1:
            raise ValueError(f"{self.module}: {self.file} holds {self.find!r} {text.count(self.find)} times, not once")
        return text.replace(self.find, self.replace)


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """One folder under `modules/` with a go.mod whose tool lines name what to build.

    `binaries` are the names that callers use; `renames` pairs what Go calls an output with that name.
    `on_demand` ones are no part of a node: they are built when a run needs them.
    `stamp` is an optional (Go variable, module path): the variable gets the version that go.mod requires of it.
    `edit` is what is compiled otherwise than it was published.
    """

    name: str
    binaries: tuple[str, ...]
    renames: tuple[tuple[str, str], ...] = ()
    cgo: bool = False
    tags: str = ""
    stamp: tuple[str, str] | None = None
    on_demand: bool = False
    edit: Edit | None = None


_NO_RULES_OF_ITS_OWN: Final = Edit(
    module="sigs.k8s.io/kube-network-policies",
    file="pkg/dataplane/controller.go",
    find="syncNFTablesRules(ctx context.Context) error {\n",
    replace="syncNFTablesRules(ctx context.Context) error {\n\tif c != nil {\n\t\treturn nil\n\t}\n",
)
"""The policy engine feeds itself by nftables' `queue`, which not every kernel has; `network.queue_rules` feed it here.
Without that expression it failed and tried again each second, and each time the kernel took the chains back that it had
begun to add. With a chain goes whatever waits in a queue (nf_queue_nf_hook_drop): pods' packets were lost at random.
"""

MODULES: Final = (
    GoModule(name="etcd", binaries=("etcd",), renames=(("server", "etcd"),)),
    GoModule(name="cni", binaries=("host-local", "loopback", "portmap", "ptp")),
    GoModule(name="runc", binaries=("runc",), cgo=True, tags="seccomp"),
    GoModule(name="containerd", binaries=("containerd", "containerd-shim-runc-v2", "ctr")),
    GoModule(
        name="networkpolicies",
        binaries=("kube-network-policies",),
        renames=(("standard", "kube-network-policies"),),
        edit=_NO_RULES_OF_ITS_OWN,
    ),
    GoModule(name="coredns", binaries=("coredns",)),
    GoModule(name="kwok", binaries=("kwok",), on_demand=True),
    GoModule(name="helm", binaries=("helm",)),
    GoModule(
        name="kubernetes",
        binaries=("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"),
        stamp=("k8s.io/component-base/version.gitVersion", "k8s.io/kubernetes"),
    ),
)
"""In build order: small ones first, so that a broken toolchain shows within seconds."""


def required_version(go_mod: str, module_path: str) -> str:
    """Return the version that the text of a go.mod requires of `module_path`; ValueError when it requires none."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module_path)}\s+(v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"go.mod requires no {module_path}")
    return found.group(1)


def build_arguments(module: GoModule, go_mod: str) -> list[str]:
    """Return the flags of `go build` for a module, without output and packages.

    Not -trimpath: the binaries never leave this machine, and with it they would share no compiled package
    with the builds that people run beside this one.
    """
    linker = "-s -w"
    if module.stamp is not None:
        variable, path = module.stamp
        linker += f" -X {variable}={required_version(go_mod, path)}"
    tags = ["-tags", module.tags] if module.tags else []
    return ["-mod=readonly", "-buildvcs=false", *tags, "-ldflags", linker]


def build_environment(module: GoModule) -> dict[str, str]:
    """Return the variables that decide what the compiler makes; flags from outside are switched off."""
    return {"CGO_ENABLED": "1" if module.cgo else "0", "GOFLAGS": "", "GOWORK": "off"}


def cache_key(module: GoModule, go_mod: str, go_sum: str) -> str:
    """Return `<module>-<16 hex digits>` that changes whenever the binaries could."""
    digest = hashlib.sha256()
    edit = [repr(module.edit)] if module.edit is not None else []
    environment = repr(sorted(build_environment(module).items()))
    for part in (go_mod, go_sum, *build_arguments(module, go_mod), environment, *edit):
        digest.update(part.encode())
        digest.update(b"\0")
    return f"{module.name}-{digest.hexdigest()[:16]}"
