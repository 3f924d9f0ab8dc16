"""What a server's pod is made of: every trait of the spawner that follows from the choice, set anew each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_config.cluster import KubernetesSettings
    from hub_config.hardware import SpawnSettings, Toleration
    from hub_config.spawn.options import SpawnRequest

MB = 1024**2
HOME = "/home/jovyan"
KEYS = "/run/imagine/keys"
"""Where a server finds the key to the storage: in memory, and nowhere in its environment."""
KEY_FILE = "storage.json"
CONTAINER = "notebook"
NAME = "{user_server}"
KEY_SECRET = f"storage-{NAME}"
NEXTCLOUD = f"nextcloud-{NAME}"
"""The claim of the volume that is the user's Nextcloud, and the secret that tells the driver how to mount it."""
SECRET_ANNOTATION = "imagine-ai.eu/secret"  # noqa: S105  # a secret's place
"""Where a claim names its secret; the storage class reads it there."""
PORT = 8888

SECURITY = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What PodSecurity's *restricted* asks for."""

LABELS = {"app.kubernetes.io/managed-by": "imagine-workspace", "component": "server-storage"}

NOTHING_MORE: dict[str, Any] = {
    "init_containers": [],
    "extra_containers": [],
    "lifecycle_hooks": {},
    "environment": {},
    "extra_annotations": {},
    "storage_extra_labels": {},
    "supplemental_gids": [],
    "service_account": None,
    "profile_list": [],
    "node_affinity_required": [],
    "node_affinity_preferred": [],
    "pod_affinity_required": [],
    "pod_affinity_preferred": [],
    "pod_anti_affinity_required": [],
    "pod_anti_affinity_preferred": [],
}
"""What a chart could add to a pod, and does not."""


def pod_traits(request: SpawnRequest, spawn: SpawnSettings, cluster: KubernetesSettings) -> dict[str, Any]:
    """Return the traits of ``KubeSpawner`` that make the pod of one choice.

    Parameters
    ----------
    request
        The choice, checked.
    spawn, cluster
        What the operator chose.
    """
    hardware = request.hardware
    extended = _extended_resources(request, spawn)
    return {
        "image": request.image,
        "cpu_limit": hardware.cpu,
        "cpu_guarantee": round(hardware.cpu * cluster.cpu_guarantee, 3),
        "mem_limit": hardware.memory_mb * MB,
        "mem_guarantee": hardware.memory_mb * MB,
        "extra_resource_limits": extended,
        "extra_resource_guarantees": extended,
        "node_selector": _node_selector(request, spawn),
        "tolerations": [_toleration(each) for each in _tolerations(request, spawn)],
        "volumes": _volumes(request, cluster),
        "volume_mounts": _mounts(cluster),
        "extra_pod_config": _pod_config(request, spawn, cluster),
    }


def fixed_traits(cluster: KubernetesSettings) -> dict[str, Any]:
    """Return the traits that are the same for every pod; also those that a chart may have set before."""
    return {
        **NOTHING_MORE,
        "namespace": cluster.namespace,
        "cmd": ["jupyterhub-singleuser"],
        "image_pull_policy": cluster.image_pull_policy,
        "image_pull_secrets": cluster.image_pull_secrets,
        "uid": cluster.uid,
        "gid": cluster.uid,
        "fs_gid": cluster.uid,
        "privileged": False,
        "allow_privilege_escalation": False,
        "container_security_context": SECURITY,
        "pod_security_context": {
            "runAsNonRoot": True,
            "seccompProfile": SECURITY["seccompProfile"],
            "fsGroupChangePolicy": "OnRootMismatch",
        },
        "automount_service_account_token": False,
        "priority_class_name": cluster.priority_class,
        "scheduler_name": cluster.scheduler,
        "pod_name_template": f"server-{NAME}",
        "pvc_name_template": "home-{username}",
        "storage_pvc_ensure": True,
        "storage_capacity": cluster.home.size,
        "storage_class": cluster.home.storage_class or None,
        "storage_access_modes": ["ReadWriteOnce"],
        "working_dir": HOME,
        "port": PORT,
        "extra_labels": {"hub.jupyter.org/network-access-hub": "true"},
        "extra_container_config": {
            # A server is there when its port answers; one that dies tells its last lines in the pod's state.
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            "terminationMessagePolicy": "FallbackToLogsOnError",
        },
    }


def nextcloud_claim(name: str, cluster: KubernetesSettings) -> dict[str, Any]:
    """Return the claim of a user's Nextcloud; its size is required, and means nothing."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "annotations": {SECRET_ANNOTATION: name}, "labels": LABELS},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": cluster.nextcloud.storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def _extended_resources(request: SpawnRequest, spawn: SpawnSettings) -> dict[str, str]:
    hardware = request.hardware
    resources = {"ephemeral-storage": f"{hardware.disk_mb}Mi"}
    if hardware.gpu:
        resources[spawn.gpu_flavours[hardware.gpu_flavour].resource] = str(hardware.gpu)
    return resources


def _node_selector(request: SpawnRequest, spawn: SpawnSettings) -> dict[str, str]:
    hardware = request.hardware
    selector = dict(spawn.gpu_flavours[hardware.gpu_flavour].node_selector) if hardware.gpu else {}
    return selector | ({spawn.site_label: hardware.site} if hardware.site else {})


def _tolerations(request: SpawnRequest, spawn: SpawnSettings) -> list[Toleration]:
    hardware = request.hardware
    of_gpu = spawn.gpu_flavours[hardware.gpu_flavour].tolerations if hardware.gpu else []
    return [*of_gpu, *(spawn.sites[hardware.site].tolerations if hardware.site else [])]


def _toleration(toleration: Toleration) -> dict[str, str]:
    return {name: value for name, value in toleration.model_dump().items() if value}


def _volumes(request: SpawnRequest, cluster: KubernetesSettings) -> dict[str, Any]:
    volumes: dict[str, Any] = {
        "home": {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}},
        "keys": {"name": "keys", "secret": {"secretName": KEY_SECRET, "defaultMode": 0o440, "optional": True}},
        "shm": {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{request.hardware.shm_mb}Mi"}},
    }
    if cluster.nextcloud.by == "csi":
        volumes["nextcloud"] = {"name": "nextcloud", "persistentVolumeClaim": {"claimName": NEXTCLOUD}}
    return volumes


def _mounts(cluster: KubernetesSettings) -> dict[str, Any]:
    mounts: dict[str, Any] = {
        "home": {"name": "home", "mountPath": HOME},
        "keys": {"name": "keys", "mountPath": KEYS, "readOnly": True},
        "shm": {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  # the place itself, not a file in it
    }
    if cluster.nextcloud.by == "csi":
        mounts["nextcloud"] = {
            "name": "nextcloud",
            "mountPath": f"{HOME}/nextcloud",
            "readOnly": cluster.nextcloud.read_only,
            "mountPropagation": "HostToContainer",
        }
    return mounts


def _pod_config(request: SpawnRequest, spawn: SpawnSettings, cluster: KubernetesSettings) -> dict[str, Any]:
    hardware = request.hardware
    # A server that died is not started again behind its user's back: they would lose what ran, and not be told.
    config: dict[str, Any] = {"restartPolicy": "Never", "enableServiceLinks": False}
    if cluster.user_namespaces:
        config["hostUsers"] = False
    if hardware.hours:
        config["activeDeadlineSeconds"] = int(hardware.hours * 3600)
    if hardware.gpu and (runtime := spawn.gpu_flavours[hardware.gpu_flavour].runtime_class):
        config["runtimeClassName"] = runtime
    return config
