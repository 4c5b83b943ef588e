"""`spec.lifetime`: how long a pod lives."""

from typing import Annotated

from zaum_api.v1alpha1 import model, scalars

MAX_LEAST = "1m"
MAX_MOST = "720h"


class Lifetime(model.Model):
    """How long one pod lives. Absent or empty: no limit but a ceiling's."""

    max: Annotated[str, *scalars.duration("lifetime.max", least=MAX_LEAST, most=MAX_MOST)] | None = None
    """From the pod's start to its end, which the kubelet brings about also while the operator is down. A Service gets
    a new pod at once; a Task has failed. Lowering it shortens the life of running pods; for a Task it cannot be
    raised. Default no limit."""
    idle: Annotated[str, *scalars.duration("lifetime.idle", least=MAX_LEAST, most=MAX_MOST)] | None = None
    """Ends a pod of which no request and no byte went out or came in for so long. No kill that counts; a Service gets
    a new pod after a pause, a Task has failed. Default no limit."""
