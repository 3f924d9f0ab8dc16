"""Use, retrain and share AI models for images of seas, lakes and rivers.

The names below are imported when they are first used, so that ``import imagine_lib`` is quick and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagine_lib import catalogue, storage
    from imagine_lib.api import backbone, compare, load
    from imagine_lib.data import ImageSet, Split, open_dataset
    from imagine_lib.errors import ImagineError
    from imagine_lib.identity import iam_token
    from imagine_lib.model import Backbone, Model
    from imagine_lib.training import Recipe

__all__ = [
    "Backbone",
    "ImageSet",
    "ImagineError",
    "Model",
    "Recipe",
    "Split",
    "backbone",
    "catalogue",
    "compare",
    "iam_token",
    "load",
    "open_dataset",
    "storage",
]

_HOMES = {
    "Backbone": "imagine_lib.model",
    "ImageSet": "imagine_lib.data",
    "ImagineError": "imagine_lib.errors",
    "Model": "imagine_lib.model",
    "Recipe": "imagine_lib.training",
    "Split": "imagine_lib.data",
    "backbone": "imagine_lib.api",
    "compare": "imagine_lib.api",
    "iam_token": "imagine_lib.identity",
    "load": "imagine_lib.api",
    "open_dataset": "imagine_lib.data",
}

_ROOMS = {"catalogue", "storage"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"imagine_lib.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'imagine_lib' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
