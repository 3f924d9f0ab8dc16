"""What an advanced user starts from in place of a model: a network of torchvision's, with trained weights or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagine_lib.errors import UsageError
from imagine_lib.models.families import TRANSFORMER, fixed_size, task_of
from imagine_lib.models.obtaining import obtain
from imagine_lib.models.offers import DEFAULT, offers
from imagine_lib.wire import Architecture, Task

if TYPE_CHECKING:
    import os

    from torch import nn

    from imagine_lib.models.stored import StoredWeights


@dataclass(frozen=True)
class Backbone:
    """A network to train, with what it has learned before. Made by :func:`backbone`.

    Parameters
    ----------
    architecture
        The network.
    weights
        What it has learned; None: nothing, its weights are random.
    """

    architecture: Architecture
    weights: StoredWeights | None

    def at(self, size: int) -> Backbone:
        """Return the backbone for images of a size.

        Parameters
        ----------
        size
            Side of the square that the network sees, in pixels.

        Returns
        -------
        Backbone
            A vision transformer is another network for each size; all others stay as they are. Detectors and
            segmenters take any size.

        Raises
        ------
        UsageError
            The network cannot take such images.
        """
        import torch

        from imagine_lib.models.network import build_network

        builder = self.architecture.builder
        if task_of(builder) != Task.CLASSIFICATION:
            return self
        changed = self
        if builder.startswith(TRANSFORMER):
            arguments = self.architecture.arguments | {"image_size": size}
            changed = replace(self, architecture=Architecture(builder=builder, arguments=arguments))
        try:
            with torch.device("meta"), torch.inference_mode():  # shapes alone: it costs neither memory nor time
                build_network(changed.architecture, 2).eval()(torch.empty(1, 3, size, size))
        except (AssertionError, RuntimeError, UsageError):
            raise UsageError(
                f"{builder} cannot take images of {size} x {size} px: choose {_sizes(builder)} as image_size."
            ) from None
        return changed

    def build(self, classes: int) -> nn.Module:
        """Build the network with a head for our classes.

        Parameters
        ----------
        classes
            Number of outputs.

        Returns
        -------
        torch.nn.Module
            Images of shape (n, 3, size, size) in, logits of shape (n, classes) out. Its features are the trained
            ones; its last layer begins near zero.

        Raises
        ------
        ModelError
            The weights were changed since they were found.
        """
        from imagine_lib.models.network import build_network, replace_head
        from imagine_lib.models.trained import fill, read_tensors

        if self.weights is None:
            return build_network(self.architecture, classes)
        origin = str(self.weights.path)
        network = build_network(self.architecture, self.weights.classes)
        fill(network, read_tensors(self.weights.path, origin), self.architecture.builder, origin)
        replace_head(network, classes)
        return network

    def seen(self) -> frozenset[str]:
        """Return the content hashes of the images of users that it learned from: none."""
        return frozenset()

    def __repr__(self) -> str:
        learned = "random weights, nothing learned yet" if self.weights is None else f"trained on {self.weights.name}"
        return f"<Backbone {self.architecture.builder}: {learned}>"


def backbone(
    builder: str, weights: str | os.PathLike[str] | None = DEFAULT, *, sha256: str | None = None
) -> Backbone:
    """Choose one of torchvision's networks to train.

    Parameters
    ----------
    builder
        Its name, like ``resnet18``.
    weights
        What it has learned: ``default`` for the weights that torchvision recommends, another name of weights, or a
        ``.safetensors`` or ``.pth`` file. None: nothing, its weights are random.
    sha256
        Of the file; a ``.pth`` that is not torchvision's own needs it.

    Returns
    -------
    Backbone

    Raises
    ------
    UsageError
        There is no such network, or no such weights.
    ModelError
        The weights are not to be had: neither the file, nor in the folders of ``IMAGINE_WEIGHTS``, nor from the
        network; or they are damaged, or of another network.
    """
    architecture = Architecture(builder=builder)
    if weights is None:
        _require_builder(architecture)
        return Backbone(architecture, None)
    offers(builder)
    return Backbone(architecture, obtain(builder, weights, sha256))


def _require_builder(architecture: Architecture) -> None:
    """Refuse a network that cannot be built, before any image is read."""
    import torch

    from imagine_lib.models.network import build_network

    with torch.device("meta"):
        build_network(architecture, 2)


def _sizes(builder: str) -> str:
    """Name the sizes that a network takes."""
    if builder.startswith(TRANSFORMER):
        return f"a multiple of {builder.rpartition('_')[2]}"
    return str(fixed_size(builder) or "a larger size")
