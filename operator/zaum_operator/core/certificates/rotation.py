"""The next step of the certificates' life, by an ordered table of rules.

Two things hold at every moment, whoever crashes wherever:
- a leaf is signed by an authority only after everybody who will meet the leaf trusts that authority;
- an authority leaves the bundle only after its leafs have left every server.

Where nobody can be hurt there is no wait: a leaf that is missing or of no use is signed at once. So the first
installation is ready in seconds, and a Secret that somebody has emptied is mended at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from zaum_operator.core.certificates.view import Authority, Holder, Leaf, Lives, Root, View

DUE: Final = 2 / 3
"""Of a certificate's life: then the next one is made."""
URGENT: Final = 5 / 6
"""Of a leaf's life: then it is renewed even where somebody may not trust the new authority yet. A certificate that
expires is trusted by nobody."""


@dataclass(frozen=True, slots=True)
class MakeAuthority:
    """Write the root: the authorities in `keep` and a fresh one, which signs from now on."""

    revision: int
    keep: tuple[Authority, ...]


@dataclass(frozen=True, slots=True)
class HandOut:
    """Write a copy of the bundle to a holder."""

    holder: str


@dataclass(frozen=True, slots=True)
class Sign:
    """Write fresh leafs and a copy of the bundle to each of these holders. `why` is for the log."""

    holders: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Write the root: only the youngest authority is left in the bundle."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Write nothing: what is seen is older than what was written."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is to be done before `until`. `waiting` says for whom a change waits, empty where none does."""

    until: datetime
    waiting: str = ""


Step = MakeAuthority | HandOut | Sign | Retire | LookAgain | Rest


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a rule may look at. `steady` is since when everybody has had what is seen, None: not yet."""

    view: View
    now: datetime
    lives: Lives
    steady: datetime | None

    @property
    def settled(self) -> bool:
        """Say whether the present state has stood long enough to be everywhere."""
        return self.steady is not None and self.now - self.steady >= self.lives.settle


def decide(view: View, *, now: datetime, lives: Lives, steady: datetime | None) -> Step:
    """Give the next step: what the first rule says that says anything."""
    case = Case(view, now, lives, steady)
    if view.root is None:
        return _first(case)
    for rule in RULES:
        step = rule(case, view.root)
        if step is not None:
            return step
    return _rest(case, view.root)


def in_rotation(view: View) -> bool:
    """Say whether leafs wait for everybody to trust the youngest authority."""
    root = view.root
    return root is not None and any(leaf.issuer != root.youngest.mark for _, _, leaf in _leafs(view) if leaf)


def _first(case: Case) -> Step:
    """Make the first authority. If the root was lost, what the holders still show stays trusted until its leafs go."""
    seen = {authority.mark: authority for holder in case.view.holders.values() if holder for authority in holder.bundle}
    keep = sorted((a for a in seen.values() if a.until > case.now), key=lambda a: (a.since, a.mark))
    return MakeAuthority(1 + max((holder.root for holder in case.view.holders.values() if holder), default=0), (*keep,))


def _behind(case: Case, root: Root) -> Step | None:
    """A holder that copied a later root than the one that is seen: ours is an old view."""
    late = any(holder.root > root.revision for holder in case.view.holders.values() if holder)
    return LookAgain() if late else None


def _authority_due(case: Case, root: Root) -> Step | None:
    if case.now < due(root.youngest):
        return None
    keep = tuple(authority for authority in root.bundle if authority.until > case.now)
    return MakeAuthority(root.revision + 1, keep)


def _not_handed_out(case: Case, root: Root) -> Step | None:
    """Trust first: before any leaf is signed every holder has the bundle."""
    for name, holder in sorted(case.view.holders.items()):
        if holder is not None and holder.marks != root.marks:
            return HandOut(name)
    return None


def _leaf_of_no_use(case: Case, root: Root) -> Step | None:
    """Nobody can trust such a leaf, so nothing is lost by a fresh one."""
    for name, holder in sorted(case.view.holders.items()):
        if holder is None:
            return Sign((name,), "the Secret is empty")
        for leaf in holder.leafs.values():
            if leaf is None or leaf.issuer not in root.marks:
                return Sign((name,), "a leaf is missing or of an unknown authority")
            if leaf.until <= case.now:
                return Sign((name,), "a leaf has expired")
    return None


def _leaf_of_an_older_authority(case: Case, root: Root) -> Step | None:
    """All at once, because a signature is a change too, and another one would have to settle again."""
    older = [(name, leaf) for name, _, leaf in _leafs(case.view) if leaf and leaf.issuer != root.youngest.mark]
    holders = tuple(sorted({name for name, _ in older}))
    if holders and case.settled:
        return Sign(holders, "everybody trusts the next authority")
    if any(case.now >= _at(leaf, URGENT) for _, leaf in older):
        return Sign(holders, "a leaf expires soon, although not everybody may trust the next authority yet")
    return None


def _leaf_due(case: Case, root: Root) -> Step | None:
    for name, _, leaf in _leafs(case.view):
        if leaf is not None and leaf.issuer == root.youngest.mark and case.now >= due(leaf):
            return Sign((name,), "two thirds of a leaf's life are over")
    return None


def _authority_without_leafs(case: Case, root: Root) -> Step | None:
    if len(root.bundle) == 1 or not case.settled or in_rotation(case.view):
        return None
    return Retire()


RULES: Final[tuple[Callable[[Case, Root], Step | None], ...]] = (
    _behind,
    _authority_due,
    _not_handed_out,
    _leaf_of_no_use,
    _leaf_of_an_older_authority,
    _leaf_due,
    _authority_without_leafs,
)
"""The first that applies is the step. The order is the argument: see the module's text."""


def due(certificate: Authority | Leaf) -> datetime:
    """Give the moment at which the next certificate is made."""
    return _at(certificate, DUE)


def _at(certificate: Authority | Leaf, part: float) -> datetime:
    life: timedelta = certificate.until - certificate.since
    return certificate.since + life * part


def _rest(case: Case, root: Root) -> Rest:
    times = [due(root.youngest)]
    waiting = ""
    for _, _, leaf in _leafs(case.view):
        if leaf is not None:
            times.append(due(leaf) if leaf.issuer == root.youngest.mark else _at(leaf, URGENT))
    if len(root.bundle) > 1:
        waiting = "the next authority to be trusted" if in_rotation(case.view) else "the last authority's leafs to go"
        times.append((case.steady or case.now) + case.lives.settle)
    return Rest(min(times), waiting)


def _leafs(view: View) -> tuple[tuple[str, str, Leaf | None], ...]:
    found: list[tuple[str, Holder]] = [(name, holder) for name, holder in sorted(view.holders.items()) if holder]
    return tuple((name, stem, leaf) for name, holder in found for stem, leaf in holder.leafs.items())
