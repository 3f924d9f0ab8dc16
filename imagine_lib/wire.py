"""The models that the platform's API, its clients and the files of a model package share.

Everything here is plain data: no HTTP, no torch, no file access, so that the hub, the Lab's server part and the
library can all import it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

Item = TypeVar("Item")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A lower-case hexadecimal SHA-256."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
"""A name that is safe in a URL, a file name and a shell: lower case, digits, and ``. _ -`` inside."""

Audience = Annotated[str, StringConstraints(pattern=r"^(?:everyone|(?:user|group):[^\s\x00-\x1f]{1,255})$")]
"""Who may see a shared model: ``everyone``, ``user:NAME`` or ``group:NAME``."""

PackagePath = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,120})?$"),
]
"""A file inside a package: at most one folder deep, never absolute, never climbing."""


Resize = Literal["scale", "pad", "stretch"]
"""How images of any size become squares of one."""


class Wire(BaseModel):
    """The base of every wire model: unknown keys are refused, so that a typo is an error and not a silence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ModelStatus(StrEnum):
    """How far a model may be trusted."""

    RELEASED = "released"
    DEMONSTRATION = "demonstration"


class Task(StrEnum):
    """What a model does with an image."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"


# ---------------------------------------------------------------------------------------------- model.json


class ClassEntry(Wire):
    """One class that a model knows."""

    name: str = Field(min_length=1, max_length=500)
    aphia_id: int | None = None
    """The taxon's WoRMS AphiaID."""
    support: int = Field(default=0, ge=0)
    """How many images it was trained on."""


class Architecture(Wire):
    """The network: a torchvision builder's name and its arguments."""

    builder: str
    arguments: dict[str, float] = {}


class InputSpec(Wire):
    """How an image becomes a tensor."""

    size: int = Field(ge=8, le=4096)
    """Side of the square canvas, in pixels."""
    resize: Resize = "scale"
    scale: float | None = Field(default=None, gt=0)
    """Canvas pixels per image pixel, one for all images; only where ``resize`` is ``scale``."""
    value_range: tuple[float, float] | None = None
    """Values that become black and white where a pixel has more than eight bits; None: all that sixteen can hold."""
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]
    hash: Sha256
    """Hash of the preprocessing: two models with the same hash see the same tensors."""


class FileEntry(Wire):
    """A file of a package, with the hash that it must have."""

    path: PackagePath
    sha256: Sha256
    size: int = Field(ge=0)


class Provenance(Wire):
    """Where a model comes from: enough to make it again."""

    base: str | None = None
    """Name of the model it was retrained from; None when it began with random weights."""
    base_sha256: Sha256 | None = None
    ancestral_classes: list[str] = []
    """Classes that it or an ancestor learned: only others are new to it."""
    data_manifest_sha256: Sha256 | None = None
    split_rule: str | None = None
    seed: int = 0
    arguments: dict[str, Any] = {}
    code_version: str = ""
    libraries: dict[str, str] = {}
    hardware: str = ""
    started: datetime | None = None
    seconds: float | None = None


class Calibration(Wire):
    """What was learned on images that the training did not see: how sure the model may sound."""

    temperature: float = Field(default=1, gt=0)
    """What the logits are divided by."""
    precision: float = Field(default=0.95, gt=0, lt=1)
    """The share of right answers that the thresholds promise."""
    thresholds: list[float | None]
    """By class, in the order of the outputs: the least probability of an answer; None where none can be promised."""
    unknown_above: float | None = None
    """Energy score above which an image is unlike anything that the model knows."""
    images: int = Field(ge=0)
    merged: bool = False
    """Whether the images had also served to choose the best epoch."""


MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "map": "mAP",
    "map_50": "mAP at IoU 0.5",
    "mean_iou": "mean IoU",
    "mean_dice": "mean Dice",
}
"""What is measured, and how it is written for people."""


class TestMetrics(Wire):
    """What was measured, and on which images."""

    __test__ = False

    values: dict[str, float]
    images: int = Field(ge=0)
    manifest_sha256: Sha256
    grouped: bool = False
    """Whether the test images were kept apart by group (sample, cruise, individual)."""


class ModelManifest(Wire):
    """The content of ``model.json``."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    task: Task = Task.CLASSIFICATION
    architecture: Architecture
    classes: list[ClassEntry] = Field(min_length=1)
    input: InputSpec
    calibration: Calibration | None = None
    metrics: TestMetrics | None = None
    status: ModelStatus = ModelStatus.RELEASED
    provenance: Provenance = Provenance()
    files: list[FileEntry]
    """Every other file of the package."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _has_something_to_choose_from(self) -> ModelManifest:
        if self.task != Task.DETECTION and len(self.classes) < 2:
            raise ValueError("a model that does not look for things needs at least two classes")
        return self


def package_hash(files: Iterable[FileEntry]) -> str:
    """Return the hash of a package: SHA-256 over its sorted ``path sha256`` lines."""
    lines = sorted(f"{entry.path} {entry.sha256}\n" for entry in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------- catalogue


class Hardware(Wire):
    """What a module needs to run well."""

    cpu: float = 1
    memory_mb: int = 2048
    gpu: int = 0


class CatalogueEntry(Wire):
    """A module of the catalogue, as every client shows it."""

    name: Slug
    """The short name, as in ``im.load("phytoplankton")``."""
    title: str
    summary: str
    description: str = ""
    """Markdown."""
    tasks: list[str] = []
    categories: list[str] = []
    libraries: list[str] = []
    tags: list[str] = []
    data_types: list[str] = []
    links: dict[str, str] = {}
    created: str | None = None
    updated: str | None = None
    classes: list[ClassEntry] = []
    metrics: TestMetrics | None = None
    status: ModelStatus | None = None
    """None where the entry has no model package of ours."""
    model_sha256: Sha256 | None = None
    hardware: Hardware = Hardware()
    launchable: bool = False
    """Whether a notebook server with this module can be started here."""
    warnings: list[str] = []
    """What is missing or odd in the metadata, one sentence each."""


# ---------------------------------------------------------------------------------------------- the platform


class Me(Wire):
    """The user as the platform sees them."""

    name: str
    admin: bool
    groups: list[str]


class PublishRequest(Wire):
    """Ask to publish a version: the package's files must have been uploaded as blobs before."""

    files: list[FileEntry] = Field(min_length=2, max_length=64)
    """Every file of the package, ``model.json`` among them."""
    audience: list[Audience] = Field(min_length=1, max_length=64)


class WithdrawRequest(Wire):
    """Take a version back; it stays listed, with the reason, and can no longer be loaded."""

    reason: str = Field(min_length=1, max_length=1000)


class ModelVersion(Wire):
    """One immutable version of a shared model."""

    owner: str
    name: Slug
    version: int = Field(ge=1)
    sha256: Sha256
    """Hash of the package: of its sorted ``path``, ``sha256`` lines."""
    created: datetime
    audience: list[Audience]
    withdrawn: str | None = None
    """Why it was withdrawn; None while it can be loaded."""
    manifest: ModelManifest
    files: list[FileEntry]
    card: str = ""
    """The model card, Markdown."""

    def __repr__(self) -> str:
        audience = ", ".join(self.audience)
        return f"<{self.owner}/{self.name} version {self.version}, shared with {audience}>"


class Published(ModelVersion):
    """What a publisher is answered."""

    warnings: list[str] = []
    """What the publisher should look at, one sentence each; the version is published all the same."""


class SharedModel(Wire):
    """A line of the list of shared models: the newest version that the reader may see."""

    owner: str
    name: Slug
    latest: int
    created: datetime
    task: Task
    status: ModelStatus
    classes: int
    metrics: TestMetrics | None = None
    base: str | None = None
    summary: str = ""
    """The first sentence of the card."""


class Page(Wire, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int
    next: int | None = None
    """Offset of the next page; None on the last."""


class ServiceState(Wire):
    """One line of the status page."""

    name: str
    state: Literal["up", "down", "unknown"]
    message: str = ""
    checked: datetime | None = None


class Incident(Wire):
    """A time in which a service did not answer."""

    service: str
    message: str
    began: datetime
    ended: datetime | None = None
    """None: it still does not."""


class Status(Wire):
    """The state of each service, and what happened lately."""

    services: list[ServiceState]
    incidents: list[Incident] = []
    """The newest first."""


class GPUCapacity(Wire):
    """How many GPUs of one kind there are for notebook servers."""

    flavour: str
    title: str
    total: int | None = None
    """None: not known."""
    free: int | None = None
    free_together: int | None = None
    """On one machine: a server's GPUs are never spread."""
    waiting: int = 0
    """Servers that wait for one."""


class ImageCapacity(Wire):
    """How many machines hold a module's image already, so that a server starts there at once."""

    module: str
    machines: int
    of: int
    size: int | None = None
    """Bytes on disk; None where no machine holds it."""


class Capacity(Wire):
    """What is free now."""

    gpus: list[GPUCapacity] = []
    images: list[ImageCapacity] = []
    measured: datetime | None = None
    """None: nobody may look at the cluster, and the numbers are what its operator has configured."""


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    """One sentence for the user."""
