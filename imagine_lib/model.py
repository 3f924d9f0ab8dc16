"""What a user holds in a notebook: a ``Model`` to ask, test, retrain and share, or a ``Backbone`` to train."""

from __future__ import annotations

import html
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.data.imageset import ImageSet
from imagine_lib.data.opening import open_images
from imagine_lib.data.splits import Split
from imagine_lib.errors import UsageError
from imagine_lib.models.backbones import Backbone as Network
from imagine_lib.models.card import render_card
from imagine_lib.sharing.client import PlatformClient

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from imagine_lib.evaluation.report import Result
    from imagine_lib.models.classifier import Classifier
    from imagine_lib.models.detector import Detector
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.models.segmenter import Segmenter
    from imagine_lib.prediction.record import Predictions
    from imagine_lib.training.progress import Watcher
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.run import Run
    from imagine_lib.wire import Audience, ModelStatus, ModelVersion, Task


class Model:
    """A model that can be asked, tested, retrained and shared. Made by :func:`load`.

    Parameters
    ----------
    name
        What it is called.
    package
        Its files, verified.
    device
        Where it computes: ``cpu`` or ``cuda``; by default a GPU where there is one.
    """

    def __init__(self, name: str, package: ModelPackage, device: str | None = None) -> None:
        self.name = name
        self.package = package
        self._device_name = device

    @property
    def classes(self) -> list[str]:
        """The classes that it knows, sorted as it was trained."""
        return [entry.name for entry in self.package.manifest.classes]

    @property
    def status(self) -> ModelStatus:
        """``released`` or ``demonstration``."""
        return self.package.manifest.status

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.package.card

    @cached_property
    def network(self) -> Classifier | Detector | Segmenter:
        """The network with what is known of it, loaded when it is first needed."""
        from imagine_lib.models.loading import load_network_model

        return load_network_model(self.package)

    @property
    def task(self) -> Task:
        """``classification``, ``detection`` or ``segmentation``."""
        return self.package.manifest.task

    @cached_property
    def device(self) -> torch.device:
        """Where it computes."""
        from imagine_lib.models.network import best_device

        return best_device(self._device_name)

    def predict(
        self,
        images: ImageSet | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        threshold: float | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Predictions:
        """Name what is on images.

        Parameters
        ----------
        images
            Files, folders, ``nextcloud:/`` paths, or an ImageSet, whose samples and volumes of water are kept.
        threshold
            Probability below which an answer is marked ``below_threshold``. By default the one that each class was
            calibrated with, and 0.5 where there is none. Objects below it are left out; by default boxes below 0.5.
        folder
            Where answers are kept while they are made: the same call goes on from there when it was broken off.
        progress
            Called with the number of images done and of all; by default what takes long is shown.

        Returns
        -------
        Predictions
            In the order of the images; those that cannot be read are in ``.errors``.

        Raises
        ------
        DataError
            A path does not exist, or a folder holds no image.
        UsageError
            The folder keeps the answers of another model or to other images, or the threshold is no probability.
        StorageError
            The folder cannot be written.
        Interrupted
            The user stopped it; with a folder, only what is left is to be done.
        """
        from imagine_lib.models.classifier import Classifier
        from imagine_lib.prediction.objects import predict_objects
        from imagine_lib.prediction.predict import predict_classes

        data = images if isinstance(images, ImageSet) else open_images(_as_list(images))
        how = self.device, threshold, folder, progress
        if isinstance(self.network, Classifier):
            return predict_classes(self.name, self.package, self.network, data, *how)
        return predict_objects(self.name, self.package, self.network, data, *how)

    def evaluate(
        self,
        data: ImageSet,
        taxonomy: str | os.PathLike[str] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Result:
        """Test on labelled images, leaving out those that it or an ancestor learned from.

        Parameters
        ----------
        data
            Images with labels, boxes or masks, as the model's task is.
        taxonomy
            A table of taxa, see :func:`imagine_lib.evaluation.taxonomy.read_taxonomy`: the accuracy at each rank is
            measured too.
        progress
            Called with the number of images done and of all, first as they are read and then as they are answered;
            by default what takes long is shown.

        Returns
        -------
        Evaluation or DetectionEvaluation or SegmentationEvaluation

        Raises
        ------
        DataError
            No image is left to test with.
        UsageError
            The images have labels for another task.
        """
        from imagine_lib.evaluation.evaluate import evaluate_classifier
        from imagine_lib.evaluation.locating import evaluate_detector, evaluate_segmenter
        from imagine_lib.evaluation.taxonomy import read_taxonomy
        from imagine_lib.models.detector import Detector
        from imagine_lib.models.segmenter import Segmenter

        self._require_task(data)
        seen = self.package.seen()
        if isinstance(self.network, Detector):
            return evaluate_detector(self.network, data, seen, self.device, progress)
        if isinstance(self.network, Segmenter):
            return evaluate_segmenter(self.network, data, seen, self.device, progress)
        known = None if taxonomy is None else read_taxonomy(Path(taxonomy))
        return evaluate_classifier(self.network, data, seen, self.device, known, progress)

    def retrain(
        self,
        data: Split | ImageSet,
        recipe: Recipe | None = None,
        *,
        name: str | None = None,
        renamed: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
        watchers: list[Watcher] | None = None,
    ) -> Run:
        """Train a new model on other images, starting from what this one learned.

        Parameters
        ----------
        data
            A split; an ImageSet is split by itself, with the recipe's seed.
        recipe
            How; the default needs no change.
        name
            What the new model is called; by default this one's name with ``-retrained``.
        renamed
            New names of this model's classes, by the old; several with one new name are merged. Classes of the same
            name, or of the same taxon, keep what was learned of them anyway.
        folder
            Where the run is kept; by default a new folder in ``~/imagine-runs``. In the folder of a training that
            did not reach its end, it goes on.
        watchers
            Who is told of the progress; by default a widget in a notebook, lines elsewhere.

        Returns
        -------
        Run

        Raises
        ------
        DataError
            The images do not suffice.
        """
        from imagine_lib.training.retrain import retrain
        from imagine_lib.training.start import PackageStart

        self._require_task(data.train if isinstance(data, Split) else data)
        recipe = recipe or _usual_recipe()
        return retrain(
            PackageStart(self.package, self.name, renamed or {}),
            data if isinstance(data, Split) else data.split(seed=recipe.seed),
            recipe,
            name=name or f"{self.name.rpartition('/')[2].partition('@')[0]}-retrained",
            folder=Path(folder) if folder else None,
            device=self.device,
            watchers=watchers,
        )

    def _require_task(self, data: ImageSet) -> None:
        if data.task != self.task:
            raise UsageError(
                f"{self.name} is made for {self.task.value}, and {data.source} has labels for {data.task.value}: "
                "choose another model, or other images."
            )

    def share(self, name: str, to: Audience | Sequence[Audience]) -> ModelVersion:
        """Publish this model in the workspace; the people named can load it at once.

        Parameters
        ----------
        name
            What it shall be called: lower case, digits and dashes.
        to
            ``everyone``, ``group:NAME``, ``user:NAME``, or several of these.

        Returns
        -------
        ModelVersion
            A version never changes; the same model shared again is the same version.

        Raises
        ------
        UsageError
            The name or the audience cannot be right.
        PlatformError
            The platform refuses or cannot be reached; nothing is visible to others then.
        """
        from imagine_lib.sharing.publish import publish

        return publish(PlatformClient(), name, self.package, [to] if isinstance(to, str) else list(to))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Copy the model package to a folder.

        Raises
        ------
        ModelError
            The folder holds something else, or the disk is full.
        """
        from imagine_lib.models.package import write_package

        files = {entry.path: (self.package.folder / entry.path).read_bytes() for entry in self.package.manifest.files}
        return write_package(Path(folder), self.package.manifest, files).folder

    def __repr__(self) -> str:
        return f"<Model {self.name}: {len(self.classes)} classes, {self.status.value}>"

    def _repr_html_(self) -> str:
        return render_card(self.card) if self.card else f"<code>{html.escape(repr(self))}</code>"


class Backbone(Network):
    """One of torchvision's networks to train, in place of a model. Made by :func:`imagine_lib.api.backbone`."""

    def retrain(
        self,
        data: Split | ImageSet,
        recipe: Recipe | None = None,
        *,
        name: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        device: str | None = None,
        watchers: list[Watcher] | None = None,
    ) -> Run:
        """Train a model; see :meth:`Model.retrain`.

        Parameters
        ----------
        data, recipe, name, folder, watchers
            As there; by default the model is called like the network.
        device
            ``cpu`` or ``cuda``; by default a GPU where there is one.

        Returns
        -------
        Run
        """
        from imagine_lib.models.network import best_device
        from imagine_lib.training.retrain import retrain
        from imagine_lib.training.start import BackboneStart

        recipe = recipe or _usual_recipe()
        return retrain(
            BackboneStart(self),
            data if isinstance(data, Split) else data.split(seed=recipe.seed),
            recipe,
            name=name or self.architecture.builder,
            folder=Path(folder) if folder else None,
            device=best_device(device),
            watchers=watchers,
        )


def _usual_recipe() -> Recipe:
    from imagine_lib.training.recipe import Recipe

    return Recipe()


def _as_list(images: Any) -> list[Any]:
    return list(images) if isinstance(images, (list, tuple)) else [images]
