"""What every model has, whatever its task: a network, its manifest, and the way into a package and out of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import safetensors.torch

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.models.network import build_network, load_weights
from imagine_lib.models.package import CARD, SEEN, WEIGHTS, ModelPackage, write_package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from imagine_lib.wire import ModelManifest


@dataclass
class NetworkModel:
    """A network and what its ``model.json`` says."""

    network: nn.Module
    manifest: ModelManifest

    @property
    def labels(self) -> list[str]:
        """Names of the classes, in the order of the outputs."""
        return [entry.name for entry in self.manifest.classes]

    def save(
        self,
        folder: Path,
        card: str,
        seen: frozenset[str],
        files: Mapping[str, bytes] | None = None,
        half: bool = False,
    ) -> ModelPackage:
        """Write the model as a package.

        Parameters
        ----------
        folder
            Where.
        card
            The model card, Markdown.
        seen
            Content hashes of every image that it or an ancestor learned from.
        files
            What else belongs to it, by path.
        half
            Store the weights as float16, at half the size.

        Returns
        -------
        ModelPackage
        """
        state = {key: value.detach().cpu().contiguous() for key, value in self.network.state_dict().items()}
        if half:
            state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        content = {
            WEIGHTS: safetensors.torch.save(state),
            CARD: card.encode(),
            SEEN: json.dumps(sorted(seen)).encode(),
        }
        return write_package(folder, self.manifest, content | dict(files or {}))


def read_network(package: ModelPackage) -> nn.Module:
    """Build the network of a package and fill it with its weights.

    Raises
    ------
    ModelError
        It cannot be built, or the weights belong to another.
    """
    try:
        network = build_network(package.manifest.architecture, len(package.manifest.classes))
    except UsageError as error:
        raise ModelError(f"The network of {package.folder} cannot be built: {error}") from None
    load_weights(network, package.folder / WEIGHTS)
    return network.eval()
