"""What policies have used, as the ledger tells the operator and the command line at `contract.PATH_LEDGER_USAGE`."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.ledger import Counters
from zaum_api.documents.meters import METERS_MAX
from zaum_api.documents.synced import Used
from zaum_api.reading import DocumentError, Fields

USAGE_VERSION: Final = "v1"
WATCHED_VERSION: Final = "v2"
"""Says of kills and silence too; asked for with `?version=v2`, which a ledger that does not know it answers with v1."""
SILENT_MAX: Final = 100
USAGE_MAX_BYTES: Final = 8 * 1024 * 1024
USAGE_PAGE: Final = 500
"""Policies in one answer."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A pod whose watchdog spoke once and does so no more: its uid, its ordinal, and for how many seconds.

    Of each ordinal the pod that spoke last. Silence alone means nothing: a pod that has ended is silent too.
    """

    pod: str
    ordinal: int
    seconds: int

    @staticmethod
    def read(value: object, place: str) -> "Silent":
        """Read one."""
        fields = Fields(value, place)
        silent = Silent(
            pod=fields.text("pod"),
            ordinal=fields.whole("ordinal", least=0, most=99),
            seconds=fields.whole("seconds", least=0, most=2**40),
        )
        fields.end()
        return silent

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"pod": self.pod, "ordinal": self.ordinal, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class PolicyUsage:
    """One policy's books: `pods` that the ledger heard of lately, meters, and what all its pods have done so far.

    `counters` never fall while the books are kept, whichever pods come and go. `heard`: seconds since the last pod
    spoke. In v2 alone: `kills` within the last 24 hours, and the pods that are `silent`.
    """

    namespace: str
    policy: str
    pods: int
    heard: int
    meters: tuple[Used, ...]
    counters: Counters
    kills: int = 0
    silent: tuple[Silent, ...] = ()

    @staticmethod
    def read(value: object, place: str, *, watched: bool = False) -> "PolicyUsage":
        """Read one; `watched`: as v2."""
        fields = Fields(value, place)
        usage = PolicyUsage(
            namespace=fields.text("namespace"),
            policy=fields.text("policy"),
            pods=fields.whole("pods", least=0, most=100_000),
            heard=fields.whole("heard", least=0, most=2**40),
            meters=fields.items("meters", Used.read, most=METERS_MAX),
            counters=fields.one("counters", Counters.read),
            kills=fields.whole("kills", least=0, most=2**31) if watched else 0,
            silent=fields.items("silent", Silent.read, most=SILENT_MAX) if watched else (),
        )
        fields.end()
        return usage

    def write(self, *, watched: bool = False) -> dict[str, Any]:
        """Give the JSON shape; `watched`: of v2."""
        more = {"kills": self.kills, "silent": [item.write() for item in self.silent]} if watched else {}
        return more | {
            "namespace": self.namespace,
            "policy": self.policy,
            "pods": self.pods,
            "heard": self.heard,
            "meters": [item.write() for item in self.meters],
            "counters": self.counters.write(),
        }


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Policies in the order of `namespace/policy`. `after`: ask for what comes after this one; empty at the end.

    `serving`: for how many seconds the ledger has been hearing watchdogs without an outage of its own; None in v1.
    """

    policies: tuple[PolicyUsage, ...]
    after: str = ""
    serving: int | None = None

    @staticmethod
    def parse(raw: bytes) -> "UsagePage":
        """Read an answer; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=USAGE_MAX_BYTES), "")
        version = fields.text("version")
        if version not in (USAGE_VERSION, WATCHED_VERSION):
            known = f"{USAGE_VERSION} and {WATCHED_VERSION}"
            raise DocumentError("version", f"is {version!r}; this version reads {known}")
        watched = version == WATCHED_VERSION

        def policy(value: object, place: str) -> PolicyUsage:
            return PolicyUsage.read(value, place, watched=watched)

        page = UsagePage(
            policies=fields.items("policies", policy, most=USAGE_PAGE),
            after=fields.text("after", empty=True),
            serving=fields.whole("serving", least=0, most=2**40) if watched else None,
        )
        fields.end()
        return page

    def dump(self) -> bytes:
        """Write the canonical form: as v2 where `serving` is said."""
        watched = self.serving is not None
        more = {"serving": self.serving} if watched else {}
        policies = [policy.write(watched=watched) for policy in self.policies]
        version = WATCHED_VERSION if watched else USAGE_VERSION
        return reading.canonical({"version": version, "policies": policies, "after": self.after} | more)
