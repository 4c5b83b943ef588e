"""What policies have used, as the ledger tells the operator and the command line at `contract.PATH_LEDGER_USAGE`."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.ledger import Counters
from zaum_api.documents.meters import METERS_MAX
from zaum_api.documents.synced import Used
from zaum_api.reading import DocumentError, Fields

USAGE_VERSION: Final = "v1"
USAGE_MAX_BYTES: Final = 8 * 1024 * 1024
USAGE_PAGE: Final = 500
"""Policies in one answer."""


@dataclass(frozen=True, slots=True)
class PolicyUsage:
    """One policy's books: `pods` that the ledger heard of lately, meters, and what all its pods have done so far.

    `counters` never fall while the books are kept, whichever pods come and go. `heard`: seconds since the last pod
    spoke.
    """

    namespace: str
    policy: str
    pods: int
    heard: int
    meters: tuple[Used, ...]
    counters: Counters

    @staticmethod
    def read(value: object, place: str) -> "PolicyUsage":
        """Read one."""
        fields = Fields(value, place)
        usage = PolicyUsage(
            namespace=fields.text("namespace"),
            policy=fields.text("policy"),
            pods=fields.whole("pods", least=0, most=100_000),
            heard=fields.whole("heard", least=0, most=2**40),
            meters=fields.items("meters", Used.read, most=METERS_MAX),
            counters=fields.one("counters", Counters.read),
        )
        fields.end()
        return usage

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "namespace": self.namespace,
            "policy": self.policy,
            "pods": self.pods,
            "heard": self.heard,
            "meters": [item.write() for item in self.meters],
            "counters": self.counters.write(),
        }


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Policies in the order of `namespace/policy`. `after`: ask for what comes after this one; empty at the end."""

    policies: tuple[PolicyUsage, ...]
    after: str = ""

    @staticmethod
    def parse(raw: bytes) -> "UsagePage":
        """Read an answer; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=USAGE_MAX_BYTES), "")
        version = fields.text("version")
        if version != USAGE_VERSION:
            raise DocumentError("version", f"is {version!r}; this version reads {USAGE_VERSION}")
        page = UsagePage(fields.items("policies", PolicyUsage.read, most=USAGE_PAGE), fields.text("after", empty=True))
        fields.end()
        return page

    def dump(self) -> bytes:
        """Write the canonical form."""
        policies = [policy.write() for policy in self.policies]
        return reading.canonical({"version": USAGE_VERSION, "policies": policies, "after": self.after})
