"""What a training needs to know of a task: its batches, its loss, and the score by which epochs are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.training.finished import Finished
    from imagine_lib.training.preview import Preview
    from imagine_lib.training.showing import Showing
    from imagine_lib.wire import ModelManifest


class Objective(Protocol):
    """One task on the images of one split; :class:`imagine_lib.training.classification.Classification` is the first.

    It is made from a split, a preprocessing and a recipe, and decodes the images; never those to test with.
    """

    score_name: str
    """What :meth:`score` measures, as progress shows it."""
    seen: frozenset[str]
    """Hashes of the images that it learns, selects and calibrates with."""

    def __len__(self) -> int:
        """Return the number of images to learn from."""

    @property
    def support(self) -> NDArray[np.int64]:
        """How often each class is there to be learned from; shape (classes,)."""

    def begin(self, network: nn.Module) -> Preview | None:
        """Learn what can be learned in seconds before the training itself; None where that is nothing."""

    def showing(self, epoch: int) -> Showing:
        """Return the images of an epoch as they are shown, the same whenever it is asked for."""

    def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
        """Return the mean loss of the network on some images.

        Parameters
        ----------
        network
            In training mode.
        shown
            Some of what :meth:`showing` returned.
        """

    def score(self, network: nn.Module) -> float:
        """Return how good the network is on the images to select with; higher is better."""

    def describe(self, positions: torch.Tensor) -> str:
        """Name some images, for an error."""

    def finish(self, network: nn.Module, manifest: ModelManifest, test: ImageSet, seen: frozenset[str]) -> Finished:
        """Calibrate the trained network and test it.

        Parameters
        ----------
        network
            Trained.
        manifest
            What is known of the model; its calibration is filled in.
        test
            The images to test with.
        seen
            Hashes of the images that it or an ancestor learned from.
        """
