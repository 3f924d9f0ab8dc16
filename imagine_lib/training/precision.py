"""In how many bits a training computes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from imagine_lib.training.recipe import Recipe


def choose_precision(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """Return the 16-bit type to compute in; None where the hardware has no instructions for one."""
    if not recipe.mixed_precision or device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def computing_in(precision: torch.dtype | None, device: torch.device) -> AbstractContextManager[Any]:
    """Compute in a type for a while."""
    return nullcontext() if precision is None else torch.autocast(device.type, precision)


def make_scaler(
    precision: torch.dtype | None, device: torch.device, state: Mapping[str, Any] | None = None
) -> torch.amp.GradScaler:
    """Return what keeps small gradients from vanishing in float16; with the other types it does nothing.

    Parameters
    ----------
    precision
        What is computed in.
    device
        Where.
    state
        Of another one, to go on from; one that does nothing has none.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    if state:
        scaler.load_state_dict(dict(state))
    return scaler
