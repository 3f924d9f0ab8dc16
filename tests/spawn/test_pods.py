"""The pods that choices become: compared with those on file, and with Kubernetes' own schema.

``pytest tests/spawn --refresh`` writes the files anew; look at the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_asyncio.client import ApiClient

from hub_config.cluster import KubernetesSettings
from hub_config.hardware import GPUFlavour, HardwareProfile, Site, SpawnSettings, Toleration
from hub_config.spawn.options import SpawnRequest
from hub_config.spawn.pods import MB, SECURITY, nextcloud_claim, pod_traits
from tests.spawn.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_config.spawn.kubernetes import PodSpawner

GOLDEN = Path(__file__).parent / "golden"
KUBERNETES = kubernetes_validate.latest_version()
ELSEWHERE = {"platform": {"url": "http://imagine-platform:8005"}}
IMAGE = f"registry.example.org/imagine/phytoplankton@sha256:{'0' * 64}"

SPAWN = SpawnSettings(
    spawner="kubernetes",
    gpu_flavours={
        "a100": GPUFlavour(
            title="NVIDIA A100",
            node_selector={"nvidia.com/gpu.product": "NVIDIA-A100-PCIE-40GB"},
            tolerations=[Toleration(key="nvidia.com/gpu", effect="NoSchedule")],
            runtime_class="nvidia",
        ),
        "slice": GPUFlavour(title="A seventh of an A100", resource="nvidia.com/mig-1g.5gb"),
    },
    sites={
        "csic": Site(title="CSIC, Santander"),
        "incd": Site(title="INCD, Lisbon"),
        "walton": Site(title="Walton Institute, Waterford"),
        "tubitak": Site(
            title="TUBITAK, Ankara",
            tolerations=[Toleration(key="virtual-node.liqo.io/not-allowed", value="true", operator="Equal")],
        ),
    },
    profiles={
        "small": HardwareProfile(title="Small", cpu=1, memory_mb=4096),
        "large": HardwareProfile(title="Large", cpu=8, memory_mb=32768, disk_mb=204_800, shm_mb=8192),
        "gpu": HardwareProfile(title="One A100", cpu=8, memory_mb=65536, gpu=1, gpu_flavour="a100", shm_mb=16384),
        "gpus": HardwareProfile(title="Two A100", cpu=16, memory_mb=131072, gpu=2, gpu_flavour="a100", site="csic"),
        "slice": HardwareProfile(title="A slice", cpu=2, memory_mb=8192, gpu=1, gpu_flavour="slice", hours=8),
        "far": HardwareProfile(title="In Ankara", cpu=2, memory_mb=8192, site="tubitak"),
    },
)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "small": ("small", {}),
    "large": ("large", {}),
    "gpu": ("gpu", {}),
    "two-gpus-at-a-site": ("gpus", {}),
    "slice-with-an-end": ("slice", {}),
    "far-site": ("far", {}),
    "nextcloud-volume": ("small", {"nextcloud": {"by": "csi"}}),
    "nextcloud-to-look-at": ("small", {"nextcloud": {"by": "csi", "read_only": True}}),
    "user-namespace": ("small", {"user_namespaces": True}),
    "private-registry": ("small", {"image_pull_secrets": ["registry"], "priority_class": "imagine-servers"}),
}


async def pod_of(spawner: PodSpawner, profile: str) -> dict[str, Any]:
    settings = spawner.settings
    hardware = settings.spawn.profiles[profile]
    spawner.request = SpawnRequest(module="phytoplankton", profile=profile, hardware=hardware, image=IMAGE)
    for name, value in pod_traits(spawner.request, settings.spawn, settings.kubernetes).items():
        setattr(spawner, name, value)
    pod = spawner.without_tokens(await spawner.get_pod_manifest())
    async with ApiClient() as client:
        found: dict[str, Any] = client.sanitize_for_serialization(pod)
    found["metadata"]["annotations"].pop("hub.jupyter.org/kubespawner-version", None)
    found["metadata"]["labels"].pop("hub.jupyter.org/kubespawner-version", None)
    return found


@pytest.mark.parametrize("name", CASES)
async def test_a_choice_becomes_this_pod(
    name: str, spawner_with: Callable[..., PodSpawner], request: pytest.FixtureRequest
) -> None:
    profile, kubernetes = CASES[name]
    pod = await pod_of(spawner_with(spawn=SPAWN, kubernetes=kubernetes, **ELSEWHERE), profile)
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    file = GOLDEN / f"{name}.yaml"
    if request.config.getoption("--refresh"):
        file.write_text(yaml.safe_dump(pod))
    assert pod == yaml.safe_load(file.read_text())


@pytest.mark.parametrize("name", CASES)
async def test_no_pod_holds_a_secret_or_a_privilege(name: str, spawner_with: Callable[..., PodSpawner]) -> None:
    profile, kubernetes = CASES[name]
    pod = await pod_of(spawner_with(spawn=SPAWN, kubernetes=kubernetes), profile)
    assert TOKEN not in yaml.safe_dump(pod)
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert "serviceAccountName" not in spec
    assert not any(volume.get("hostPath") for volume in spec["volumes"])
    (container,) = spec["containers"]
    assert SECURITY.items() <= container["securityContext"].items()
    assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["limits"])


async def test_nothing_is_left_of_the_choice_before(spawner_with: Callable[..., PodSpawner]) -> None:
    spawner = spawner_with(spawn=SPAWN)
    fresh = await pod_of(spawner, "small")
    await pod_of(spawner, "gpus")
    await pod_of(spawner, "slice")
    assert await pod_of(spawner, "small") == fresh


async def test_memory_is_kept_whole_and_a_gpu_is_asked_for_by_its_name(
    spawner_with: Callable[..., PodSpawner],
) -> None:
    pod = await pod_of(spawner_with(spawn=SPAWN), "slice")
    resources = pod["spec"]["containers"][0]["resources"]
    assert int(resources["requests"]["memory"]) == int(resources["limits"]["memory"]) == 8192 * MB
    assert resources["limits"]["nvidia.com/mig-1g.5gb"] == resources["requests"]["nvidia.com/mig-1g.5gb"] == "1"
    assert pod["spec"]["activeDeadlineSeconds"] == 8 * 3600


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ({"gpu": 1, "gpu_flavour": "h100"}, "GPU flavour 'h100' that is not defined"),
        ({"site": "moon"}, "site 'moon' that is not defined"),
        ({"gpu": 1}, "say which with gpu_flavour"),
    ],
)
def test_a_profile_that_nothing_provides_is_refused(profile: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SpawnSettings(spawner="kubernetes", profiles={"x": {"title": "X", "cpu": 1, "memory_mb": 1, **profile}})


def test_the_claim_of_a_nextcloud_names_its_own_secret() -> None:
    claim = nextcloud_claim("nextcloud-ada", KubernetesSettings())
    kubernetes_validate.validate(claim, KUBERNETES, strict=True)
    assert claim["metadata"]["annotations"] == {"imagine-ai.eu/secret": "nextcloud-ada"}
    assert claim["spec"]["storageClassName"] == "imagine-nextcloud"
