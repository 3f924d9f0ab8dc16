"""Settings of a workspace on Kubernetes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hub_config.sections import Section

PinnedImage = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]
"""An image by its digest: a name alone may be another image tomorrow."""


class ModuleImage(Section):
    """What a module's servers are started from."""

    image: PinnedImage
    contract: int = 0
    """Which version of the image contract ``make test-image`` found it to keep; 0: none, and it is not started."""


class HomeVolume(Section):
    """Where users' notebooks and small files stay when the server stops."""

    size: str = "10Gi"
    storage_class: str = ""
    """Empty: the cluster's default."""


class NextcloudVolume(Section):
    """How ``~/nextcloud`` comes into a pod. The library's ``nextcloud:/`` paths and the Lab's drive work without."""

    by: Literal["none", "csi"] = "none"
    storage_class: str = "imagine-nextcloud"
    """Whose volumes rclone's CSI driver mounts; our chart makes it, and the driver must be in the cluster."""
    read_only: bool = False


class KubernetesSettings(Section):
    """Where and how pods run."""

    namespace: str = "imagine-servers"
    """Of the users' pods, volumes and secrets; nothing else should be in it."""
    images: dict[str, ModuleImage] = {}
    """The image of each module of the catalogue; a module without one cannot be started."""
    watches_cluster: bool = True
    """Whether the controller may look at all nodes and pods, and so tell what is free."""
    image_pull_secrets: list[str] = []
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    uid: int = Field(default=1000, gt=0)
    """Whom every server runs as; the images know it."""
    user_namespaces: bool = False
    """Whether even that uid is nobody's on the node. Volumes without idmapped mounts fail with it."""
    cpu_guarantee: float = Field(default=0.5, gt=0, le=1)
    """Share of a profile's CPUs that is kept free for it; memory always is whole."""
    priority_class: str = ""
    scheduler: str | None = None
    """None: the cluster's own."""
    home: HomeVolume = HomeVolume()
    nextcloud: NextcloudVolume = NextcloudVolume()
    catalogue: str = "/opt/imagine/images"
    """Where servers read the catalogue: by default the folder in which a module's image holds that module."""
