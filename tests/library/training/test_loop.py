"""The loop itself, on a task small enough to see through: a line through points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from imagine_lib.errors import ModelError
from imagine_lib.training import Recipe
from imagine_lib.training.loop import Standing, Trainer
from imagine_lib.training.progress import Event, EventLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Line:
    """Learn y = 2x; its faults are put in from outside."""

    score_name = "closeness"
    seen: frozenset[str] = frozenset()

    def __init__(self, fault: Callable[[torch.Tensor], None] | None = None) -> None:
        self.x = torch.linspace(-1, 1, 32).view(-1, 1)
        self.batches: list[list[int]] = []
        self.shares: list[float] = []
        self.scores: list[float] = []
        self._fault = fault

    def order(self, epoch: int) -> torch.Tensor:
        return torch.arange(32)

    def loss(self, network: nn.Module, positions: torch.Tensor, epoch: int, share: float) -> torch.Tensor:
        if self._fault is not None:
            self._fault(positions)
        self.batches.append(positions.tolist())
        self.shares.append(share)
        return (network(self.x[positions]) - 2 * self.x[positions]).square().mean()

    def score(self, network: nn.Module) -> float:
        if self.scores:
            return self.scores.pop(0)
        return 1 / (1 + float((network(self.x) - 2 * self.x).detach().square().mean()))

    def describe(self, positions: torch.Tensor) -> str:
        return ", ".join(f"point {position}" for position in positions[:2].tolist())


class Straight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)
        nn.init.constant_(self.fc.weight, 0.1)
        nn.init.constant_(self.fc.bias, 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.fc(x)
        return answer


def train(line: Line, folder: Path, network: nn.Module | None = None, **changes: Any) -> tuple[Standing, list[Event]]:
    log = EventLog(folder / "events.jsonl", [])
    defaults = {"epochs": 4, "average": 0, "warmup": 0, "learning_rate": 0.1, "growing": False}
    recipe = Recipe(**defaults | changes)
    trainer = Trainer(
        network or Straight(),
        line,  # type: ignore[arg-type]
        recipe,
        batch_size=8,
        folder=folder,
        log=log,
        device=torch.device("cpu"),
        pretrained=False,
        images="line",
    )
    return trainer.train(), log.events


def test_it_learns(tmp_path: Path) -> None:
    standing, _ = train(Line(), tmp_path, epochs=30)
    assert standing.scores[0] < 0.9 < 0.99 < standing.best


def test_a_loss_that_is_no_number_names_the_images(tmp_path: Path) -> None:
    line = Line()
    line.x[16] = float("nan")
    with pytest.raises(ModelError) as stopped:
        train(line, tmp_path)
    assert str(stopped.value) == (
        "Training lost its way in epoch 1 (loss nan) at the images point 16, point 17: look at them, or lower "
        "learning_rate."
    )


def test_memory_that_does_not_suffice_halves_the_batch_once_and_no_image_is_missed(tmp_path: Path) -> None:
    def tight(positions: torch.Tensor) -> None:
        if len(positions) == 8 and positions[0] >= 8:
            raise torch.OutOfMemoryError("CUDA out of memory")

    line = Line(tight)
    standing, events = train(line, tmp_path, epochs=2)
    assert (standing.batch_size, standing.halved) == (4, True)
    first = [position for batch in line.batches[:7] for position in batch]
    assert first == list(range(32))
    assert [len(batch) for batch in line.batches] == [8] + [4] * 6 + [4] * 8
    (said,) = [event["text"] for event in events if event["type"] == "message"]
    assert said.startswith("The memory does not suffice for 8 images at a time: the training goes on with 4.")


def test_memory_that_never_suffices_ends_in_a_sentence(tmp_path: Path) -> None:
    def tight(positions: torch.Tensor) -> None:
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."
        )

    with pytest.raises(ModelError, match="^The memory does not suffice for 4 images of this size at a time: lower"):
        train(Line(tight), tmp_path)


def test_another_error_is_not_taken_for_memory(tmp_path: Path) -> None:
    def broken(positions: torch.Tensor) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(Line(broken), tmp_path)


def test_it_ends_when_nothing_became_better_for_long_and_keeps_the_best(tmp_path: Path) -> None:
    line = Line()
    line.scores = [0.1, 0.5, 0.9, 0.4, 0.3, 0.2, 0.1]
    network = Straight()
    standing, _ = train(line, tmp_path, network, epochs=20, patience=3)
    assert (standing.best_epoch, len(standing.scores)) == (2, 5)
    shorter = Straight()
    (tmp_path / "shorter").mkdir()
    line.scores = [0.1, 0.5, 0.9, 0.4]
    train(line, tmp_path / "shorter", shorter, epochs=20, patience=1)
    assert torch.equal(network.fc.weight, shorter.fc.weight)


def test_what_was_better_before_the_training_is_kept(tmp_path: Path) -> None:
    network = Straight()
    with torch.no_grad():
        network.fc.weight.fill_(2.0)
        network.fc.bias.zero_()
    line = Line()
    line.scores = [1.0, 0.5, 0.5, 0.5, 0.5]
    train(line, tmp_path, network, learning_rate=10.0)
    assert network.fc.weight.item() == 2.0


def test_images_grow_while_it_trains(tmp_path: Path) -> None:
    line = Line()
    train(line, tmp_path, epochs=10, growing=True, patience=None)
    steps = [line.shares[index] for index in range(0, 40, 4)]
    assert steps == [0.5] * 4 + [0.75] * 3 + [1.0] * 3


def test_without_a_compiler_it_trains_all_the_same_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(_: nn.Module) -> nn.Module:
        raise RuntimeError("Failed to find C compiler.\nSet CC.")

    monkeypatch.setattr(torch, "compile", no_compiler)
    _, events = train(Line(), tmp_path, compile=True)
    (said,) = [event["text"] for event in events if event["type"] == "message"]
    assert said == "The network cannot be compiled here (Failed to find C compiler.): it is trained as it is."


def test_a_compiled_network_that_computes_something_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.network(x) + 1
            return answer

    monkeypatch.setattr(torch, "compile", Wrong)
    standing, events = train(Line(), tmp_path, epochs=30, compile=True)
    assert standing.best > 0.99
    (said,) = [event["text"] for event in events if event["type"] == "message"]
    assert said == "The compiled network computes something else: it is trained as it is."


@pytest.mark.soak
def test_a_compiled_training_learns_the_same(tmp_path: Path) -> None:
    """Whether it pays depends on the machine; that the answer is right must not."""
    (tmp_path / "eager").mkdir()
    eager, _ = train(Line(), tmp_path / "eager", epochs=10)
    compiled, events = train(Line(), tmp_path, epochs=10, compile=True)
    assert compiled.scores == pytest.approx(eager.scores, rel=1e-3)
    assert len([event for event in events if event["type"] == "message"]) == 1
