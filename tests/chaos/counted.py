"""Have Kubernetes count its quotas anew before what they count is compared.

Its controllers take an API server that was away for some seconds for away somewhat longer. A quota that is made just
then is counted by what they saw before, and pods that came meanwhile are not counted until they look at all again:
after five minutes, or when they begin anew.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tests.chaos import normal
from tests.cluster import cluster
from tests.support.e2e.api import Api

Object = Mapping[str, Any]
PATIENCE_SECONDS: Final = 10.0
ANEW_SECONDS: Final = 45.0
CONTROLLERS: Final = "kube-controller-manager"


class UncountedError(Exception):
    """Quotas are not counted although the controllers began anew: nothing can be compared."""


def insist(api: Api, namespaces: Iterable[str], say: Callable[[str], None]) -> None:
    """Wait until all quotas are counted; where that takes long, let the controllers begin anew."""
    places = tuple(namespaces)
    if not _left(api, places, PATIENCE_SECONDS):
        return
    say(f"counted late: {', '.join(late(api, places))}; {CONTROLLERS} begins anew")
    cluster.restart(CONTROLLERS)
    if left := _left(api, places, ANEW_SECONDS):
        raise UncountedError(f"not counted {ANEW_SECONDS:.0f} s after {CONTROLLERS} began anew: {', '.join(left)}")


def late(api: Api, namespaces: Iterable[str]) -> list[str]:
    """Name the quotas of policies that count other pods than there are."""
    return [
        f"{namespace}/{name}"
        for namespace in namespaces
        for name in normal.uncounted(api.items("resourcequotas", namespace), api.items("pods", namespace))
    ]


def _left(api: Api, namespaces: tuple[str, ...], seconds: float) -> list[str]:
    until = time.monotonic() + seconds
    while (left := late(api, namespaces)) and time.monotonic() < until:
        time.sleep(0.2)
    return left
