"""What a training begins with: a model whose features are kept, or a network of torchvision's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from imagine_lib.errors import UsageError
from imagine_lib.models.families import fixed_size
from imagine_lib.models.network import build_network, load_weights, replace_head
from imagine_lib.models.package import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from imagine_lib.models.backbones import Backbone
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.wire import Architecture, ClassEntry, InputSpec, ModelManifest


class Start(Protocol):
    """What a training begins with."""

    @property
    def name(self) -> str | None:
        """What the base model is called; None where there is none."""

    @property
    def sha256(self) -> str | None:
        """Hash of the base model."""

    @property
    def architecture(self) -> Architecture:
        """The network."""

    @property
    def pretrained(self) -> bool:
        """Whether its features were trained before."""

    @property
    def input(self) -> InputSpec | None:
        """The preprocessing that it was trained with."""

    @property
    def classes(self) -> list[ClassEntry]:
        """What it knows."""

    @property
    def ancestral_classes(self) -> list[str]:
        """What it or an ancestor learned."""

    def seen(self) -> frozenset[str]:
        """Return the hashes of the images that it or an ancestor learned from."""

    def at(self, size: int) -> Start:
        """Return what to begin with for images of a size.

        Raises
        ------
        UsageError
            The network cannot take such images.
        """

    def build(self, manifest: ModelManifest) -> nn.Module:
        """Return the network with a head for the classes of a model that is to be."""


@dataclass(frozen=True)
class BackboneStart:
    """One of torchvision's networks, with its trained features or random weights."""

    backbone: Backbone

    @property
    def name(self) -> str | None:
        """Builder and weights; None where the weights are random."""
        return repr(self.backbone)[1:-1] if self.backbone.weights else None

    @property
    def sha256(self) -> str | None:
        """Hash of the weights."""
        return self.backbone.weights.sha256 if self.backbone.weights else None

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.backbone.architecture

    @property
    def pretrained(self) -> bool:
        """Whether it has trained weights."""
        return self.backbone.weights is not None

    @property
    def input(self) -> InputSpec | None:
        """Nothing: the recipe and the task decide."""
        return None

    @property
    def classes(self) -> list[ClassEntry]:
        """None that could be kept."""
        return []

    @property
    def ancestral_classes(self) -> list[str]:
        """None of ours."""
        return []

    def seen(self) -> frozenset[str]:
        """Return nothing: no image of ours."""
        return frozenset()

    def at(self, size: int) -> BackboneStart:
        """Return the network for images of a size."""
        return replace(self, backbone=self.backbone.at(size))

    def build(self, manifest: ModelManifest) -> nn.Module:
        """Return the network with a new head."""
        return self.backbone.build(len(manifest.classes))


@dataclass(frozen=True)
class PackageStart:
    """A model package: its features are kept, and what its head knows of the classes."""

    package: ModelPackage
    name: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New names of its classes, by the old; several with one new name are merged."""

    @property
    def sha256(self) -> str:
        """Hash of the package."""
        return self.package.sha256

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.package.manifest.architecture

    @property
    def pretrained(self) -> bool:
        """Its features were trained."""
        return True

    @property
    def input(self) -> InputSpec:
        """The preprocessing that it was trained with."""
        return self.package.manifest.input

    @property
    def classes(self) -> list[ClassEntry]:
        """What it knows."""
        return self.package.manifest.classes

    @property
    def ancestral_classes(self) -> list[str]:
        """What it or an ancestor learned."""
        names = {entry.name for entry in self.classes}
        return sorted(names | set(self.package.manifest.provenance.ancestral_classes))

    def seen(self) -> frozenset[str]:
        """Return the hashes of the images that it or an ancestor learned from."""
        return self.package.seen()

    def at(self, size: int) -> PackageStart:
        """Return itself where its network takes images of the size."""
        if size != self.input.size and fixed_size(self.architecture.builder):
            raise UsageError(f"{self.name} takes images of {self.input.size} px only: leave image_size out.")
        return self

    def build(self, manifest: ModelManifest) -> nn.Module:
        """Return the network with a head in which the classes that still mean the same keep what was learned.

        Raises
        ------
        UsageError
            ``renamed`` names a class that the base or the data have not.
        """
        network = build_network(self.architecture, len(self.classes))
        load_weights(network, self.package.folder / WEIGHTS)
        replace_head(network, len(manifest.classes), kept_classes(self.classes, manifest.classes, self.renamed))
        return network


def kept_classes(old: list[ClassEntry], new: list[ClassEntry], renamed: Mapping[str, str]) -> dict[int, list[int]]:
    """Find the classes that still mean the same: by name, by a new name, or by taxon.

    Returns
    -------
    dict
        For positions in ``new`` the positions in ``old`` that each is made of.

    Raises
    ------
    UsageError
        ``renamed`` names a class that is in neither.
    """
    names = {entry.name: index for index, entry in enumerate(new)}
    taxa = {entry.aphia_id: index for index, entry in enumerate(new) if entry.aphia_id is not None}
    for before, after in renamed.items():
        if before not in {entry.name for entry in old}:
            raise UsageError(f"The base model has no class {before!r} that could be renamed.")
        if after not in names:
            raise UsageError(f"The images have no class {after!r}, which {before!r} is renamed to.")
    kept: dict[int, list[int]] = {}
    for index, entry in enumerate(old):
        target = names.get(renamed.get(entry.name, entry.name), taxa.get(entry.aphia_id or 0))
        if target is not None:
            kept.setdefault(target, []).append(index)
    return kept
