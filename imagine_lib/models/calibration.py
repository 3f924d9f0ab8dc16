"""What a model answered on the images that it was calibrated with: by this, counts can be adjusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import safetensors.numpy
from safetensors import SafetensorError

from imagine_lib.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imagine_lib.models.package import ModelPackage

CALIBRATION = "calibration.safetensors"
"""Where it lies in a package."""


@dataclass(frozen=True)
class CalibrationImages:
    """Answers to images that the training did not learn from."""

    logits: NDArray[np.float32]
    """Shape (n, classes), before the temperature."""
    truth: NDArray[np.int64]
    """Numbers of classes; shape (n,)."""
    groups: NDArray[np.int64]
    """Images of one group have the same number; shape (n,)."""

    def to_bytes(self) -> bytes:
        """Return the content of the package's file."""
        return safetensors.numpy.save({"logits": self.logits, "truth": self.truth, "groups": self.groups})


def read_calibration(package: ModelPackage) -> CalibrationImages | None:
    """Return what a package's calibration was made of; None where the model was not calibrated.

    Raises
    ------
    ModelError
        The file is damaged.
    """
    if CALIBRATION not in {entry.path for entry in package.manifest.files}:
        return None
    try:
        found = safetensors.numpy.load_file(package.folder / CALIBRATION)
        return CalibrationImages(found["logits"], found["truth"], found["groups"])
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelError(f"{package.folder / CALIBRATION} cannot be read ({error}): get the package again.") from None
