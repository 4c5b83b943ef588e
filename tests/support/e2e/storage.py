"""A volume for the ledger on a cluster that has none to give: a folder of the local node's."""

import os
import shutil
from typing import Final

from tests.cluster import cluster
from tests.support.e2e.api import Api

NAME: Final = "zaum-ledger"
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


def values(api: Api) -> tuple[str, ...]:
    """Give the chart values by which the ledger gets a volume, made here where the cluster makes none itself."""
    if os.environ.get("CLUSTER", "local") != "local":
        return ()
    classes = [item["metadata"] for item in api.items("storageclasses")]
    if any((item.get("annotations") or {}).get(_DEFAULT) == "true" for item in classes):
        return ()
    _make(api)
    return (f"ledger.storage.storageClassName={NAME}",)


def _make(api: Api) -> None:
    volume = api.find("persistentvolumes", "", NAME)
    if volume is not None:
        if volume["status"].get("phase") == "Released":  # its claim went with the namespace
            api.merge("persistentvolumes", "", NAME, {"spec": {"claimRef": None}})
        return
    folder = cluster.state_dir() / "volumes" / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": NAME}}
    how = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    api.apply("storageclasses", kind | how)
    node = api.items("nodes")[0]["metadata"]["name"]
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": NAME,
        "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
    }  # fmt: skip
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAME}, "spec": spec}
    api.apply("persistentvolumes", body)
