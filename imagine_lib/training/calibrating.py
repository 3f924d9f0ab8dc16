"""After a training: how sure the model may sound, and from where on what it says is promised to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.evaluation.calibration import calibrate as at_temperature
from imagine_lib.evaluation.calibration import fit_temperature
from imagine_lib.evaluation.thresholds import choose_thresholds
from imagine_lib.evaluation.unknowns import fit_energy
from imagine_lib.models.calibration import CalibrationImages
from imagine_lib.wire import Calibration

if TYPE_CHECKING:
    import torch

    from imagine_lib.models.classifier import Classifier
    from imagine_lib.training.labelled import Labelled

PRECISION = 0.95

FEWEST = 59
"""Images from which on it can be told what 95 % of all images stay below: 0.95 to the power of 59 is less than 0.05.
Wilks 1941, "Determination of Sample Sizes for Setting Tolerance Limits". With fewer there is no rule for unknowns."""


def calibrate(
    classifier: Classifier, images: Labelled, merged: bool, device: torch.device
) -> tuple[Calibration, CalibrationImages]:
    """Fit temperature, thresholds and the rule for unknowns.

    Parameters
    ----------
    classifier
        Trained.
    images
        Which the training did not learn from.
    merged
        Whether they had chosen the best epoch.
    device
        Where to compute.

    Returns
    -------
    calibration, answers
        What was fitted, and what it was fitted on.
    """
    logits = classifier.logits(images.canvases, device)
    temperature = fit_temperature(logits, images.targets)
    thresholds = choose_thresholds(images.targets, at_temperature(logits, temperature), PRECISION)
    calibration = Calibration(
        temperature=temperature,
        precision=PRECISION,
        thresholds=list(thresholds.values),
        unknown_above=fit_energy(logits) if len(images) >= FEWEST else None,
        images=len(images),
        merged=merged,
    )
    return calibration, CalibrationImages(logits, images.targets, images.groups)
