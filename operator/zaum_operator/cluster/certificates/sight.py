"""See the Secrets through the operator's own volume, and remember what it wrote itself until the volume shows it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from zaum_api import contract
from zaum_operator.cluster.certificates import issue
from zaum_operator.core.certificates import stored, view
from zaum_operator.core.certificates.stored import Data

REMEMBER_SECONDS: Final = 300.0
"""Longer than the kubelet needs: after this the volume is believed, also where it shows an older revision."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The Secrets' data as far as it is looked at, by name."""

    data: dict[str, Data]

    def state(self) -> view.View:
        """Give what the rules look at."""
        return view.View(self._root(), {name: self._holder(name) for name in stored.HOLDERS})

    def revision(self, name: str) -> int:
        """Give the revision that was seen; 0 where there is none."""
        return stored.number(self.data[name], stored.REVISION)

    def bundle(self, name: str = contract.CA_SECRET) -> bytes:
        """Give the bundle that a Secret shows."""
        return self.data[name].get(stored.BUNDLE, b"")

    def signer(self) -> issue.Pair:
        """Give the authority that signs, as it stands in the root Secret."""
        root = self.data[contract.CA_SECRET]
        return issue.Pair(root.get(stored.CERTIFICATE, b""), root.get(stored.KEY, b""))

    def pem(self, mark: str) -> bytes:
        """Give the PEM of an authority that any of the Secrets shows."""
        found = (issue.bundle(self.bundle(name)).get(mark) for name in self.data)
        return next(entry[1] for entry in found if entry is not None)

    def _root(self) -> view.Root | None:
        """Read the root. One whose key does not belong to its youngest authority cannot sign, so it is none."""
        found = issue.bundle(self.bundle())
        if not found or not issue.signs(self.signer(), [*found][-1]):
            return None
        return view.Root(self.revision(contract.CA_SECRET), tuple(entry[0] for entry in found.values()))

    def _holder(self, name: str) -> view.Holder | None:
        data = self.data[name]
        if not stored.number(data, stored.REVISION):
            return None
        trusted = self.bundle() + self.bundle(name)
        return view.Holder(
            revision=self.revision(name),
            root=stored.number(data, stored.ROOT),
            bundle=tuple(entry[0] for entry in issue.bundle(self.bundle(name)).values()),
            leafs={leaf.stem: issue.shown(data.get(f"{leaf.stem}.crt", b""), trusted) for leaf in stored.HOLDERS[name]},
        )


@dataclass
class Eyes:
    """Reads the volume at `directory`, which holds one directory per Secret."""

    directory: Path
    _written: dict[str, tuple[Data, float]] = field(default_factory=dict)

    def wrote(self, name: str, data: Data, *, at: float) -> None:
        """Remember what the API server answered to a write of ours; `at` is in monotonic seconds."""
        self._written[name] = (data, at)

    @property
    def waiting(self) -> bool:
        """Say whether the last look found the volume behind what was written: the kubelets are at work still."""
        return bool(self._written)

    def look(self, *, at: float) -> Sight:
        """See each Secret as the volume shows it, or as it was written where the volume is behind."""
        return Sight({name: self._seen(name, at) for name in stored.SHOWN})

    def shown(self, name: str) -> bytes:
        """Give the bundle that the volume itself shows in a Secret's directory: what reconciles read."""
        return _content(self.directory / name / stored.BUNDLE)

    def _seen(self, name: str, at: float) -> Data:
        shown = {key: _content(self.directory / name / key) for key in stored.SHOWN[name]}
        if name in self._written:
            data, when = self._written[name]
            behind = stored.number(shown, stored.REVISION) < stored.number(data, stored.REVISION)
            if behind and at - when < REMEMBER_SECONDS:
                return data
            del self._written[name]
        return shown


def _content(path: Path) -> bytes:
    """Read a file of the volume; one that is not there yet is empty."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
