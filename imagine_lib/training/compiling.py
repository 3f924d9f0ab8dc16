"""Let torch compile the network where that works here and pays; what does not, is said and left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from imagine_lib.models.asking import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from imagine_lib.training.progress import EventLog

    Loss = Callable[[nn.Module], torch.Tensor]

TRIALS = 5
"""Steps that are timed of each, after as many that are not: the first compiled one takes minutes."""

TOLERANCE = 0.02
"""How far the loss of the compiled network may be off, as a share: a compiler may add up in another order."""


def compile_network(network: nn.Module, loss: Loss, log: EventLog, pays: bool = False) -> nn.Module:
    """Return a network that computes the same faster, or the network itself.

    Parameters
    ----------
    network
        In training mode, on its device.
    loss
        Computes the loss of a network on some images of the training.
    log
        Told what was found.
    pays
        Whether it is known to: then nothing is timed.

    Returns
    -------
    torch.nn.Module
        Shares its weights with ``network``.
    """
    before = {key: value.clone() for key, value in network.named_buffers()}
    try:
        fast: nn.Module = torch.compile(network)  # type: ignore[assignment]
        with evaluating(network), torch.no_grad():
            whole, compiled = float(loss(network)), float(loss(fast))
        if abs(whole - compiled) > TOLERANCE * abs(whole):
            log.emit("message", text="The compiled network computes something else: it is trained as it is.")
            return network
        if pays:
            return fast
        for either in (network, fast):
            _seconds(either, loss)  # the first steps are slower than the others
        eager, quick = _seconds(network, loss), _seconds(fast, loss)
    except Exception as error:  # a compiler may be missing or fail in any way; the training does without
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        log.emit("message", text=f"The network cannot be compiled here ({reason}): it is trained as it is.")
        return network
    finally:
        network.zero_grad(set_to_none=True)
        network.load_state_dict(before, strict=False)
    if quick >= eager:
        log.emit("message", text="Compiling the network gains nothing here: it is trained as it is.")
        return network
    log.emit("message", text=f"The compiled network is {eager / quick:.1f} times as fast.")
    return fast


def _seconds(network: nn.Module, loss: Loss) -> float:
    began = time.monotonic()
    for _ in range(TRIALS):
        loss(network).backward()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - began
