"""What the installation puts into every pod, as one digest: pods that carry another one are outdated by it.

It is the digest of one pod that never runs and that uses everything, so that it changes with each setting and with
each version of the operator that renders pods otherwise, and with nothing that a policy's author can change.
"""

import functools
from typing import Any, Final

from zaum_api import contract, reading
from zaum_api.v1alpha1 import policy
from zaum_operator.core import effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.keys import Key
from zaum_operator.core.render import pod
from zaum_operator.core.snapshot import Site

_REFERENCE: Final[dict[str, Any]] = {
    "agent": {
        "image": "reference",
        "command": ["a"],
        "args": ["b"],
        "workingDir": "/c",
        "env": [{"name": "D", "value": "e"}],
        "files": [{"configMap": "f", "mountPath": "/f"}],
        "imagePullSecrets": [{"name": "g"}],
        "nodeSelector": {"h": "i"},
        "tolerations": [{"key": "j", "operator": "Exists"}],
        "runtimeClassName": "k",
        "workspace": {"persistent": {}},
    },
    "egress": {
        "routes": [
            {
                "name": "l",
                "upstream": "https://reference.example",
                "api": "OpenAI",
                "credential": {"secretKeyRef": {"name": "m", "key": "n"}},
            }
        ]
    },
    "identity": {"token": {"audience": "https://reference.example"}},
}


@functools.lru_cache(maxsize=4)
def digest(site: Site) -> str:
    """Give the digest; the same for all policies of an installation."""
    spec = policy.Spec.model_validate(_REFERENCE)
    intent = Intent(Key("reference", "reference"), uid="", generation=0, spec=spec)
    template = pod.template(intent, spec.agent, effective.resolve(spec), site)
    one = pod.render(template, "", ordinal=0, suffix="", config_digest="", failures=0, lifetime=pod.GRACE_SECONDS)
    del one["metadata"]["annotations"][contract.ANNOTATION_SITE]
    return reading.digest(reading.canonical(one))
