"""A network with its manifest: what is trained, saved, loaded and asked."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import safetensors.torch
import torch

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.models.network import build_network, load_weights, to_batch
from imagine_lib.models.package import CARD, SEEN, WEIGHTS, ModelPackage, write_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.wire import ModelManifest

BATCH = 64
"""Images at a time when a model is only asked: more gains nothing on a CPU."""

BATCH_PIXELS = BATCH * 256**2
"""Larger images go in smaller batches, so that memory stays bounded."""


@dataclass
class Classifier:
    """A classification network and what its ``model.json`` says."""

    network: nn.Module
    manifest: ModelManifest

    @property
    def labels(self) -> list[str]:
        """Names of the classes, in the order of the outputs."""
        return [entry.name for entry in self.manifest.classes]

    def probabilities(self, canvases: NDArray[np.uint8], device: torch.device) -> NDArray[np.float32]:
        """Ask the network.

        Parameters
        ----------
        canvases
            Shape (n, size, size, 3).
        device
            Where to compute.

        Returns
        -------
        numpy.ndarray
            Shape (n, classes); each row adds up to 1.
        """
        spec = self.manifest.input
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        found = []
        with torch.inference_mode(), _evaluating(self.network):
            for chunk in torch.split(torch.from_numpy(canvases), self._batch):
                logits = self.network(to_batch(chunk, spec.mean, spec.std, device))
                found.append(torch.softmax(logits.float(), dim=1).cpu())
        return torch.cat(found).numpy() if found else torch.empty(0, len(self.labels)).numpy()

    @property
    def _batch(self) -> int:
        return max(1, min(BATCH, BATCH_PIXELS // self.manifest.input.size**2))

    def save(self, folder: Path, card: str, seen: frozenset[str], half: bool = False) -> ModelPackage:
        """Write the model as a package.

        Parameters
        ----------
        folder
            Where.
        card
            The model card, Markdown.
        seen
            Content hashes of every image that it or an ancestor learned from.
        half
            Store the weights as float16, at half the size.

        Returns
        -------
        ModelPackage
        """
        state = {key: value.detach().cpu().contiguous() for key, value in self.network.state_dict().items()}
        if half:
            state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        files = {
            WEIGHTS: safetensors.torch.save(state),
            CARD: card.encode(),
            SEEN: json.dumps(sorted(seen)).encode(),
        }
        return write_package(folder, self.manifest, files)


def load_classifier(package: ModelPackage) -> Classifier:
    """Build the network of a package and fill it with its weights."""
    try:
        network = build_network(package.manifest.architecture, len(package.manifest.classes))
    except UsageError as error:
        raise ModelError(f"The network of {package.folder} cannot be built: {error}") from None
    load_weights(network, package.folder / WEIGHTS)
    network.eval()
    return Classifier(network, package.manifest)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
