"""What a user holds in a notebook: ``load`` and the ``Model`` that it gives, and ``compare``."""

from __future__ import annotations

import html
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib import catalogue
from imagine_lib.data.imageset import ImageSet, open_images
from imagine_lib.data.splits import Split
from imagine_lib.errors import UsageError
from imagine_lib.models.card import render_card
from imagine_lib.models.package import ModelPackage, read_package
from imagine_lib.sharing.client import PlatformClient
from imagine_lib.sharing.install import install, is_reference

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import torch

    from imagine_lib.evaluation.compare import Comparison
    from imagine_lib.evaluation.evaluate import Evaluation
    from imagine_lib.models.classifier import Classifier
    from imagine_lib.prediction.record import Predictions
    from imagine_lib.training.progress import Watcher
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.run import Run
    from imagine_lib.wire import Audience, ModelStatus, ModelVersion

THRESHOLD = 0.5
"""An answer less probable than this is marked: something else would then be about as likely."""


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
    def classifier(self) -> Classifier:
        """The network itself, loaded when it is first needed."""
        from imagine_lib.models.classifier import load_classifier

        return load_classifier(self.package)

    @cached_property
    def device(self) -> torch.device:
        """Where it computes."""
        from imagine_lib.models.network import best_device

        return best_device(self._device_name)

    def predict(
        self,
        images: ImageSet | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        threshold: float = THRESHOLD,
    ) -> Predictions:
        """Name what is on images.

        Parameters
        ----------
        images
            Files, folders, ``nextcloud:/`` paths, or an ImageSet.
        threshold
            Probability below which an answer is marked ``below_threshold``.

        Returns
        -------
        Predictions
            In the order of the images; those that cannot be read are in ``.errors``.

        Raises
        ------
        DataError
            A path does not exist, or a folder holds no image.
        """
        from imagine_lib.prediction.predict import predict_items

        data = images if isinstance(images, ImageSet) else open_images(_as_list(images))
        classifier, digest = self.classifier, self.package.sha256
        return predict_items(classifier, data.items, threshold, self.device, self.name, digest)

    def evaluate(self, data: ImageSet) -> Evaluation:
        """Test on labelled images, leaving out those that it or an ancestor learned from.

        Raises
        ------
        DataError
            No image is left to test with.
        """
        from imagine_lib.evaluation.evaluate import evaluate_classifier

        return evaluate_classifier(self.classifier, data, self.package.seen(), self.device)

    def retrain(
        self,
        data: Split | ImageSet,
        recipe: Recipe | None = None,
        *,
        name: str | None = None,
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
        folder
            Where the run is kept; by default a new folder in ``~/imagine-runs``.
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
        from imagine_lib.training.recipe import Recipe
        from imagine_lib.training.retrain import retrain

        recipe = recipe or Recipe()
        return retrain(
            self.package,
            data if isinstance(data, Split) else data.split(seed=recipe.seed),
            recipe,
            name=name or f"{self.name.rpartition('/')[2].partition('@')[0]}-retrained",
            base_name=self.name,
            folder=Path(folder) if folder else None,
            device=self.device,
            watchers=watchers,
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


def load(source: str | os.PathLike[str], *, name: str | None = None, device: str | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    source
        A short name of the catalogue, ``owner/name`` or ``owner/name@version`` of a shared model, or the folder of
        a model package (written with a leading ``./``, ``/`` or ``~``).
    name
        What to call it; by default ``source``.
    device
        ``cpu`` or ``cuda``; by default a GPU where there is one.

    Returns
    -------
    Model

    Raises
    ------
    CatalogueError
        The catalogue has no such module.
    ModelError
        The package is missing, damaged or withdrawn.
    PlatformError
        A shared model that the user may not see, or the platform cannot be reached.
    """
    text = str(source)
    if isinstance(source, Path) or text.startswith((".", "/", "~")):
        return Model(name or text, read_package(Path(text).expanduser()), device)
    if "/" in text:
        if not is_reference(text):
            raise UsageError(f"{text!r} is no model: give a catalogue name, owner/name, or a folder like ./{text}.")
        version, package = install(PlatformClient(), text)
        return Model(name or f"{version.owner}/{version.name}@{version.version}", package, device)
    return Model(name or text, read_package(catalogue.fetch_package(catalogue.default_location(), text)), device)


def compare(first: Model, second: Model, data: ImageSet) -> Comparison:
    """Test two models on the same images, of the classes that both know and that neither learned from.

    Parameters
    ----------
    first, second
        For example before and after retraining.
    data
        Images with labels.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        There is nothing to compare.
    """
    from imagine_lib.evaluation.compare import compare_classifiers

    seen = first.package.seen() | second.package.seen()
    return compare_classifiers(first.classifier, second.classifier, data, seen, first.device)


def _as_list(images: Any) -> list[Any]:
    return list(images) if isinstance(images, (list, tuple)) else [images]
