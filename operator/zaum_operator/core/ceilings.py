"""What the ceilings of a namespace add up to. A cap is the least of what is stated, a grant needs all that speak of it.

Every operation is a meet over statements sorted by name, so the order in which ceilings come and go cannot matter
(docs/adr/0009). What a ceiling leaves out it says nothing about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from zaum_api import contract, documents
from zaum_egress import hosts as egress_hosts
from zaum_operator.core import selectors
from zaum_operator.core.ceiling import Cap, Ceiling, unreadable
from zaum_operator.core.tolerations import Toleration

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stated(Generic[_T]):
    """What one ceiling states about one field."""

    ceiling: str
    value: _T


@dataclass(frozen=True, slots=True)
class Ceilings:
    """All that is stated for one namespace, by name of ceiling. Empty: no caps, no grants."""

    invalid: tuple[Stated[str], ...] = ()
    """Ceilings that cannot be read, and why."""
    caps: tuple[tuple[Cap, Stated[int]], ...] = ()
    hosts: tuple[Stated[tuple[egress_hosts.Pattern, ...]], ...] = ()
    registries: tuple[Stated[tuple[str, ...]], ...] = ()
    digest: tuple[str, ...] = ()
    """The ceilings that want images by digest."""
    runtime_classes: tuple[Stated[tuple[str, ...]], ...] = ()
    ingress_denied: tuple[str, ...] = ()
    audiences: tuple[Stated[tuple[str, ...]], ...] = ()
    nodes: tuple[Stated[tuple[tuple[str, tuple[str, ...]], ...]], ...] = ()
    tolerations: tuple[Stated[tuple[Toleration, ...]], ...] = ()
    access: tuple[contract.Access, ...] = ()
    """Granted ways into agent pods, sorted."""
    services: tuple[Stated[tuple[tuple[str, str], ...]], ...] = ()
    modes: tuple[Stated[tuple[documents.Mode, ...]], ...] = ()
    proof: tuple[str, ...] = ()
    """The ceilings that want the cage proved."""
    blocking: tuple[str, ...] = ()
    """The ceilings by which an open quarantine blocks its images under every name of the namespace."""

    def cap(self, field: Cap) -> Stated[int] | None:
        """Give the least that is stated about a number, None when nobody states any."""
        return dict(self.caps).get(field)


NONE: Final = Ceilings()


def of_namespace(all_ceilings: Iterable[Ceiling], labels: Mapping[str, str] | None) -> Ceilings:
    """Give what holds in a namespace with these labels. Labels that are not known are no way around a ceiling."""
    mine = sorted(
        (found for ceiling in all_ceilings if (found := _selecting(ceiling, labels)) is not None),
        key=lambda ceiling: ceiling.name,
    )
    return _meet(mine) if mine else NONE


def _selecting(ceiling: Ceiling, labels: Mapping[str, str] | None) -> Ceiling | None:
    """Give the ceiling when it selects the namespace; one whose selector cannot be decided selects and forbids."""
    if labels is None:
        return unreadable(ceiling.name, ceiling.selector, "the namespace's labels are not known")
    try:
        return ceiling if selectors.matches(ceiling.selector, labels) else None
    except selectors.SelectorError as error:
        return unreadable(ceiling.name, ceiling.selector, f"spec.namespaceSelector: {error}")


def _meet(mine: list[Ceiling]) -> Ceilings:
    return Ceilings(
        invalid=tuple(Stated(ceiling.name, ceiling.problem) for ceiling in mine if ceiling.problem),
        caps=_least(mine),
        hosts=_stated((ceiling.name, ceiling.hosts) for ceiling in mine),
        registries=_stated((ceiling.name, ceiling.registries) for ceiling in mine),
        digest=tuple(ceiling.name for ceiling in mine if ceiling.digest),
        runtime_classes=_stated((ceiling.name, ceiling.runtime_classes) for ceiling in mine),
        ingress_denied=tuple(ceiling.name for ceiling in mine if ceiling.ingress_denied),
        audiences=_stated((ceiling.name, ceiling.audiences) for ceiling in mine),
        nodes=_stated((ceiling.name, ceiling.nodes) for ceiling in mine),
        tolerations=_stated((ceiling.name, ceiling.tolerations) for ceiling in mine),
        access=_granted([ceiling.access for ceiling in mine if ceiling.access is not None]),
        services=_stated((ceiling.name, ceiling.services) for ceiling in mine),
        modes=_stated((ceiling.name, ceiling.modes) for ceiling in mine),
        proof=tuple(ceiling.name for ceiling in mine if ceiling.require_proof),
        blocking=tuple(ceiling.name for ceiling in mine if ceiling.block_images),
    )


def _least(mine: list[Ceiling]) -> tuple[tuple[Cap, Stated[int]], ...]:
    least: dict[Cap, Stated[int]] = {}
    for ceiling in mine:
        for cap, value in ceiling.caps:
            if cap not in least or value < least[cap].value:
                least[cap] = Stated(ceiling.name, value)
    return tuple((cap, least[cap]) for cap in Cap if cap in least)


def _stated(found: Iterable[tuple[str, _T | None]]) -> tuple[Stated[_T], ...]:
    return tuple(Stated(name, value) for name, value in found if value is not None)


def _granted(stated: list[tuple[contract.Access, ...]]) -> tuple[contract.Access, ...]:
    return tuple(sorted(access for access in contract.Access if stated and all(access in one for one in stated)))
