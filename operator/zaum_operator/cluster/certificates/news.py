"""Make others notice: the kubelets of our pods that a Secret changed, and people that something is wrong."""

import logging
from datetime import datetime
from typing import Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds

logger = logging.getLogger(__name__)

OURS: Final = f"{contract.LABEL_NAME}={contract.APP_NAME}"
_MESSAGE_MAX: Final = 1024


async def bring(api: Api, namespace: str, mark: tuple[int, ...]) -> None:
    """Change an annotation of our own pods: a changed pod makes its kubelet sync volumes now, not within minutes.

    Best effort: without it the kubelet's own period does the same later.
    """
    value = ".".join(str(number) for number in mark)
    try:
        for pod in await api.list(kinds.POD, namespace, selector=OURS):
            metadata = pod["metadata"]
            if (metadata.get("annotations") or {}).get(contract.ANNOTATION_CERTIFICATES) == value:
                continue
            patch = {"metadata": {"annotations": {contract.ANNOTATION_CERTIFICATES: value}}}
            await api.merge(kinds.POD, namespace, metadata["name"], patch)
    except errors.RequestError as error:
        logger.info("certificates: pods take their files a little later: %s", error)


async def complain(
    api: Api,
    namespace: str,
    message: str,
    *,
    now: datetime,
    suffix: str,
    about: str = contract.CA_SECRET,
    reason: str = "CertificatesNotRenewed",
) -> None:
    """Write an event about a Secret, the root one unless told."""
    moment = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    body = {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.name,
        "metadata": {"name": f"{about}.certificates.{suffix}", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Secret", "name": about, "namespace": namespace},
        "type": "Warning",
        "reason": reason,
        "message": message[:_MESSAGE_MAX],
        "reportingComponent": contract.FIELD_MANAGER,
        "reportingInstance": contract.FIELD_MANAGER,
        "source": {"component": contract.FIELD_MANAGER},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
    try:
        await api.create(kinds.EVENT, body)
    except errors.RequestError as error:
        logger.info("certificates: no event: %s", error)
