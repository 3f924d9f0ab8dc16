"""A trained model before it becomes a package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagine_lib.evaluation.report import Result
    from imagine_lib.models.saving import NetworkModel


@dataclass(frozen=True)
class Finished:
    """What came of a training."""

    model: NetworkModel
    evaluation: Result
    files: dict[str, bytes] = field(default_factory=dict)
    """What the package holds beside the weights, by path."""
