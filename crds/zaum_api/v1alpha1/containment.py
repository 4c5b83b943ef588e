"""`spec.containment`: what happens to an agent that ran wild."""

from typing import Annotated, Literal

import pydantic

from zaum_api.v1alpha1 import model

_Step = Literal["Throttle", "Cut", "Kill", "Quarantine"]
_Answer = Literal["Ignore", "Kill", "Quarantine"]


class Containment(model.Model):
    """What happens to an agent that ran wild. Absent or empty: it is killed, and quarantined after three kills a day.

    Each step holds those before it. Throttle: the pod gets a tenth of its rates, and of its cpu where the cluster
    resizes pods in place. Cut: nothing leaves the pod or comes in. Kill: the pod is ended, and another one starts after
    a pause. Quarantine: no pod of the policy runs or starts until an Incident is released.
    """

    on_runaway: _Step | None = None
    """The first answer when a detector trips. Default Kill, which killsBeforeQuarantine counts. Throttle and Cut are
    over when the detector rests; where it does not within 2 minutes, the next step follows."""
    kills_before_quarantine: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    """So many kills of the policy's pods within 24 hours are kills alone; the next one is a quarantine. Default 3;
    0: the first one is."""
    on_budget: _Step | None = None
    """The answer when a budget of the day or hour is spent. Default Throttle, which is what the limits do by
    themselves: what is above is refused."""
    on_tampering: _Answer | None = None
    """The answer when somebody changed or deleted what Zaum made of the policy, past the API server's guards. It is put
    back in any case. Default Ignore."""
    on_crash_loop: _Answer | None = None
    """The answer when the agent ends with an error 5 times in a row, each within 10 minutes. Default Ignore, and the
    pauses between its pods grow to 5 minutes."""
    on_widened_egress: _Answer | None = None
    """The answer when a NetworkPolicy opens to or from the policy's pods what the policy does not name. No pod runs
    beside one in any case. Default Ignore."""
