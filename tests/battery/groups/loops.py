"""Group 13: calls that lead nowhere, which no single limit forbids. A detector ends each; the control's are off."""

from typing import Any, Final

from tests.battery.ends import Due, End
from tests.battery.groups.http import ROUTE
from tests.battery.wild import MODELS_ROUTE, By, Scene
from tests.cluster import addresses
from tests.cluster.world import llm
from tests.support.e2e.api import Object
from zaum_api import contract

Breach = contract.Breach
SECONDS: Final = 45.0
ENDS: Final = "to no end"
_TRIPPING: Final[Object] = {"same": 12, "per": "1m"}


def _scene(variant: str, reason: contract.Breach, tripping: Object, *, sampled: bool = False, **deed: Any) -> Scene:
    whole = {"kind": "calls", "seconds": 90, "pause": 0.1, **deed}
    # What is tried for ever is tried long past where the detector trips.
    control = {"most": deed["most"] // 4, "seconds": 60}
    due = Due(End.BREACH, SECONDS, reason.value)
    return Scene(13, ENDS, variant, whole, due, tripping=tripping, by=By.AGENT, control=control, sampled=sampled)


def scenes() -> list[Scene]:
    """Give all."""
    return [
        _scene(
            "the same call", Breach.RUNAWAY_REPEATED, {"repeated": _TRIPPING},
            what="same", route=ROUTE, most=400, sampled=True,
        ),
        _scene(
            "denied calls", Breach.RUNAWAY_DENIED, {"denied": {"above": 10, "per": "1m"}},
            what="denied", host=addresses.OUTLAW_NAME, status=403, most=400,
        ),
        _scene(
            "tokens with no progress", Breach.RUNAWAY_NO_PROGRESS, {"noProgress": {"tokens": 300, "for": "5s"}},
            what="burn", route=MODELS_ROUTE, model=llm.MODELS[0], most=400,
        ),
        _scene(
            "calls that are always wrong", Breach.RUNAWAY_ERRORS,
            {"errors": {"abovePercent": 90, "ofAtLeast": 10, "per": "1m"}},
            what="wrong", route=ROUTE, status=404, most=400,
        ),
        _scene(
            "bytes, a drip at a time", Breach.RUNAWAY_EGRESS, {"egressBytes": {"above": "2Mi", "per": "1m"}},
            what="send", route=ROUTE, most=400,
        ),
    ]  # fmt: skip
