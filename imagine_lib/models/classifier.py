"""A classification network with its manifest: what is trained, saved, loaded and asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from imagine_lib.models.asking import logits
from imagine_lib.models.saving import NetworkModel, read_network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imagine_lib.data.loading import Canvases
    from imagine_lib.models.package import ModelPackage


@dataclass
class Classifier(NetworkModel):
    """A classification network and what its ``model.json`` says."""

    def logits(self, canvases: Canvases, device: torch.device) -> NDArray[np.float32]:
        """Return what the network answers, float32, shape (n, classes)."""
        found: NDArray[np.float32] = logits(self.network, canvases, self.manifest.input, device).numpy()
        return found

    def probabilities(self, canvases: Canvases, device: torch.device) -> NDArray[np.float32]:
        """Ask the network.

        Parameters
        ----------
        canvases
            The images.
        device
            Where to compute.

        Returns
        -------
        numpy.ndarray
            Calibrated where the model was; shape (n, classes), each row adds up to 1.
        """
        calibration = self.manifest.calibration
        answers = torch.from_numpy(self.logits(canvases, device)) / (calibration.temperature if calibration else 1.0)
        found: NDArray[np.float32] = torch.softmax(answers, dim=1).numpy()
        return found


def load_classifier(package: ModelPackage) -> Classifier:
    """Build the network of a package and fill it with its weights."""
    return Classifier(read_network(package), package.manifest)
