"""The way in: ``load`` a model, choose a ``backbone``, ``compare`` two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib import catalogue
from imagine_lib.errors import UsageError
from imagine_lib.model import Backbone, Model
from imagine_lib.models import backbones
from imagine_lib.models.offers import DEFAULT
from imagine_lib.models.package import read_package
from imagine_lib.sharing.client import PlatformClient
from imagine_lib.sharing.install import install, is_reference

if TYPE_CHECKING:
    import os

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.evaluation.compare import Comparison


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
    from imagine_lib.models.classifier import Classifier

    one, two = first.network, second.network
    if not (isinstance(one, Classifier) and isinstance(two, Classifier)):
        raise UsageError("Only models that tell classes apart are compared: evaluate each of the two.")
    seen = first.package.seen() | second.package.seen()
    return compare_classifiers(one, two, data, seen, first.device)


def backbone(
    builder: str, weights: str | os.PathLike[str] | None = DEFAULT, *, sha256: str | None = None
) -> Backbone:
    """Choose one of torchvision's networks to train; see :func:`imagine_lib.models.backbones.backbone`.

    Parameters
    ----------
    builder, weights, sha256
        As there.

    Returns
    -------
    Backbone
    """
    found = backbones.backbone(builder, weights, sha256=sha256)
    return Backbone(found.architecture, found.weights)
