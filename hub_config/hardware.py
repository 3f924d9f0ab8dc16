"""What notebook servers may be made of: hardware profiles, kinds of GPU, sites, and who may hold how much."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hub_config.sections import Section


class Toleration(Section):
    """A taint that does not keep servers from a node."""

    key: str
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class GPUFlavour(Section):
    """A kind of GPU in the cluster, or of a slice of one."""

    title: str
    resource: str = "nvidia.com/gpu"
    """What nodes offer it as; a slice has a name of its own, such as ``nvidia.com/mig-1g.10gb``."""
    node_selector: dict[str, str] = {}
    """Labels of the nodes that have it."""
    tolerations: list[Toleration] = []
    runtime_class: str = ""
    """The container runtime that hands it through, where that is not the default."""
    groups: list[str] = []
    """Who may use it; empty: everyone."""
    count: int | None = Field(default=None, ge=0)
    """How many there are for notebook servers. Shown, as configured, where the cluster may not be watched."""


class Site(Section):
    """A computing centre: the nodes whose label ``spawn.site_label`` has the site's name."""

    title: str
    tolerations: list[Toleration] = []
    groups: list[str] = []
    """Who may use it; empty: everyone."""


class HardwareProfile(Section):
    """A choice on the spawn page."""

    title: str
    cpu: float = Field(gt=0)
    memory_mb: int = Field(gt=0)
    gpu: int = Field(default=0, ge=0)
    gpu_flavour: str = ""
    """Which of ``spawn.gpu_flavours``; on one machine there is but one kind."""
    disk_mb: int = Field(default=20_480, gt=0)
    """Of the node's own disk, which is empty again when the server stops. For copies and caches."""
    shm_mb: int = Field(default=1024, ge=0)
    """Of ``/dev/shm``, through which processes of one training talk; counts as memory."""
    hours: float = Field(default=0, ge=0)
    """How long a server may live; 0: no limit but the culling of idle ones."""
    site: str = ""
    """Which of ``spawn.sites``; empty: wherever there is room."""
    groups: list[str] = []
    """Who may choose it; empty: everyone."""


class Limits(Section):
    """How much may be held; None: no limit."""

    servers: int | None = Field(default=None, ge=0)
    gpus: int | None = Field(default=None, ge=0)
    gpu_hours: float | None = Field(default=None, ge=0)
    """In the last 30 days."""


class GroupLimits(Section):
    """What a group of users may hold."""

    each: Limits = Limits()
    """Any one of them."""
    together: Limits = Limits()
    """All of them. A server counts for one group: the first in the settings that has room for it."""


class SpawnSettings(Section):
    """How notebook servers are started."""

    spawner: Literal["local", "kubernetes"] = "local"
    profiles: dict[str, HardwareProfile] = {
        "small": HardwareProfile(title="Small", cpu=1, memory_mb=4096),
        "standard": HardwareProfile(title="Standard", cpu=2, memory_mb=8192),
    }
    gpu_flavours: dict[str, GPUFlavour] = {}
    sites: dict[str, Site] = {}
    site_label: str = "imagine-ai.eu/site"
    """The label of nodes that says which site they belong to."""
    limits: dict[str, GroupLimits] = {}
    """By group. Without any, nobody is limited; with some, who is in none of these groups starts nothing."""
    start_timeout: int = Field(default=120, gt=0)
    """Seconds a server may take from *Start* to its first answer."""

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for name, profile in self.profiles.items():
            if profile.gpu_flavour and profile.gpu_flavour not in self.gpu_flavours:
                raise ValueError(f"profile {name!r} has a GPU flavour {profile.gpu_flavour!r} that is not defined")
            if profile.site and profile.site not in self.sites:
                raise ValueError(f"profile {name!r} is for a site {profile.site!r} that is not defined")
            if self.spawner == "kubernetes" and profile.gpu and not profile.gpu_flavour:
                raise ValueError(f"profile {name!r} has a GPU: say which with gpu_flavour")
        return self
