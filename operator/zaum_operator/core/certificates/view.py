"""What is there: the root Secret with the authorities, and the Secrets that hold leafs, as somebody sees them.

What is seen may be late: the kubelet brings a changed Secret within minutes. Revisions tell how late; they grow by one
with each write, and each write is refused where the revision is not the one that was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate in the trust bundle. `mark` is the SHA-256 of its DER in hex; times are the certificate's."""

    mark: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that a server or a client shows. `issuer` is its authority's mark, empty when none is known."""

    issuer: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Root:
    """The root Secret. The bundle stands in the order of age; the key beside it is the youngest authority's."""

    revision: int
    bundle: tuple[Authority, ...]

    @property
    def youngest(self) -> Authority:
        """Give the authority that signs."""
        return self.bundle[-1]

    @property
    def marks(self) -> tuple[str, ...]:
        """Give the marks of the bundle in its order."""
        return tuple(authority.mark for authority in self.bundle)


@dataclass(frozen=True, slots=True)
class Holder:
    """A Secret that holds leafs and a copy of the bundle. `root` is the root's revision that the copy was made of."""

    revision: int
    root: int
    bundle: tuple[Authority, ...]
    leafs: Mapping[str, Leaf | None]

    @property
    def marks(self) -> tuple[str, ...]:
        """Give the marks of the copy in its order."""
        return tuple(authority.mark for authority in self.bundle)


@dataclass(frozen=True, slots=True)
class View:
    """All of it. A Secret that is empty is None; `holders` has a key for every holder that there shall be."""

    root: Root | None
    holders: Mapping[str, Holder | None]

    @property
    def mark(self) -> tuple[int, ...]:
        """Give what changes with every write."""
        holders = (holder.revision if holder else 0 for _, holder in sorted(self.holders.items()))
        return (self.root.revision if self.root else 0, *holders)


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things live and how long a change needs to be everywhere."""

    authority: timedelta
    leaf: timedelta
    settle: timedelta
    """Longer than twice what a kubelet takes to bring a changed Secret or ConfigMap into a running pod: a leader of
    before may tell watchdogs for so long what its own late volume shows, and their kubelets are late once more."""

    def problem(self) -> str:
        """Say what does not fit; empty when it does."""
        if self.leaf * LEAFS_PER_AUTHORITY > self.authority:
            return f"an authority must live at least {LEAFS_PER_AUTHORITY} times as long as a leaf"
        if self.settle * SETTLES_PER_LEAF > self.leaf:
            return f"a leaf must live at least {SETTLES_PER_LEAF} times as long as changes need to settle"
        if self.settle <= timedelta():
            return "changes need some time to settle"
        return ""


LEAFS_PER_AUTHORITY: Final = 3
"""The next authority comes at two thirds of the life of the last: the rest must last for one leaf."""
SETTLES_PER_LEAF: Final = 12
"""A leaf is due at two thirds of its life and urgent at five sixths: in between a change settles, at ease."""
