"""The loop itself, on a task small enough to see through: a line through points."""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from imagine_lib.errors import ModelError
from imagine_lib.training import Recipe, compiling, loop
from imagine_lib.training.checkpoint import read_checkpoint
from imagine_lib.training.loop import Standing, Trainer
from imagine_lib.training.precision import choose_precision
from imagine_lib.training.progress import Event, EventLog
from imagine_lib.training.showing import Showing, show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Line:
    """Learn y = 2x; its faults are put in from outside."""

    score_name = "closeness"
    seen: frozenset[str] = frozenset()

    def __init__(self, fault: Callable[[torch.Tensor], None] | None = None) -> None:
        self.x = torch.linspace(-1, 1, 32).view(-1, 1)
        self.batches: list[list[int]] = []
        self.scores: list[float] = []
        self._fault = fault

    def showing(self, epoch: int) -> Showing:
        return show(torch.arange(32), 0, epoch, 1)

    def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
        positions = shown.positions
        if self._fault is not None:
            self._fault(positions)
        self.batches.append(positions.tolist())
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


def train(
    line: Line,
    folder: Path,
    network: nn.Module | None = None,
    batch_size: Callable[[], int] = lambda: 8,
    watchers: Sequence[Callable[[Event], None]] = (),
    **changes: Any,
) -> tuple[Standing, list[Event]]:
    log = EventLog(folder / "events.jsonl", list(watchers))
    defaults = {"epochs": 4, "average": 0, "warmup": 0, "learning_rate": 0.1}
    recipe = Recipe(**defaults | changes)
    trainer = Trainer(
        network or Straight(),
        line,  # type: ignore[arg-type]
        recipe,
        batch_size=batch_size,
        folder=folder,
        log=log,
        device=torch.device("cpu"),
        pretrained=False,
        origin={"images": "line"},
    )
    return trainer.train(), log.events


def scores(standing: Standing) -> list[float]:
    return [event["score"] for event in standing.metrics]


def texts(events: list[Event]) -> list[str]:
    return [event["text"] for event in events if event["type"] == "message"]


def test_it_learns(tmp_path: Path) -> None:
    standing, _ = train(Line(), tmp_path, epochs=30)
    assert scores(standing)[0] < 0.9 < 0.99 < standing.best


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
    (said,) = texts(events)
    assert said.startswith("The memory does not suffice for 8 images at a time: the training goes on with 4.")


def test_an_odd_batch_that_is_halved_misses_no_image_and_averages_over_images(tmp_path: Path) -> None:
    def tight(positions: torch.Tensor) -> None:
        if len(positions) == 7 and positions[0] >= 14:
            raise torch.OutOfMemoryError("CUDA out of memory")

    class Flat(Line):
        def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
            """The mean of the positions: what an epoch's mean must be is known."""
            return super().loss(network, shown) * 0 + shown.positions.float().mean()

    line, shares = Flat(tight), []
    standing, events = train(
        line,
        tmp_path,
        batch_size=lambda: 7,
        watchers=[
            lambda event: shares.append(event["step"] / event["steps"]) if event["type"] == "progress" else None
        ],
        epochs=1,
    )
    assert [position for batch in line.batches for position in batch] == list(range(32))
    assert standing.batch_size == 3
    assert shares == sorted(shares)
    assert shares[-1] == 1
    (metric,) = [event for event in events if event["type"] == "metric"]
    assert metric["loss"] == pytest.approx(15.5)


def test_nothing_of_the_batch_that_was_too_large_is_in_memory_when_it_is_halved(tmp_path: Path) -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def tight(positions: torch.Tensor) -> None:
        if len(positions) == 8:
            large = torch.zeros(10)
            held.append(weakref.ref(large))
            raise torch.OutOfMemoryError("CUDA out of memory")

    def watch(event: Event) -> None:
        if event["type"] == "message":
            alive.append(held[0]() is not None)

    train(Line(tight), tmp_path, watchers=[watch], epochs=1)
    assert alive == [False]


def test_a_step_that_ran_out_of_memory_in_the_middle_leaves_the_scaler_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the gradients are unscaled, a scaler refuses to do it again before its step is over."""
    whole, full = torch.nn.utils.clip_grad_norm_, [True]

    def clip(*arguments: Any) -> torch.Tensor:
        if full.pop() if full else False:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*arguments)

    monkeypatch.setattr(loop, "choose_precision", lambda *_: torch.float16)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    standing, _ = train(Line(), tmp_path, epochs=2)
    assert (standing.halved, standing.epoch) == (True, 3)


def test_a_gpu_that_only_imitates_bfloat16_computes_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_precision(Recipe(), torch.device("cuda")) == torch.float16
    assert choose_precision(Recipe(mixed_precision=False), torch.device("cuda")) is None
    assert choose_precision(Recipe(), torch.device("cpu")) is None


@pytest.mark.parametrize(("first", "second"), [(None, torch.float16), (torch.float16, None)])
def test_a_training_goes_on_where_the_hardware_has_another_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: torch.dtype | None, second: torch.dtype | None
) -> None:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: first)
    stop_after(1, tmp_path)
    monkeypatch.setattr(loop, "choose_precision", lambda *_: second)
    standing, _ = train(Line(), tmp_path)
    assert standing.epoch == 5


def stop_after(epoch: int, folder: Path, line: Line | None = None, **changes: Any) -> None:
    def watch(event: Event) -> None:
        if event["type"] == "progress" and event["epoch"] > epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(line or Line(), folder, watchers=[watch], **changes)


def test_going_on_remembers_the_epochs_before_and_asks_for_no_batch_again(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, _ = train(Line(), tmp_path / "whole")
    stop_after(2, tmp_path)
    told: list[int] = []

    def ask() -> int:
        raise AssertionError("the batch is known")

    def watch(event: Event) -> None:
        if event["type"] == "metric":
            told.append(event["epoch"])

    standing, events = train(Line(), tmp_path, batch_size=ask, watchers=[watch])
    assert told == [event["epoch"] for event in events if event["type"] == "metric"] == [1, 2, 3, 4]
    assert scores(standing) == scores(whole)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["type"] == "metric"] == [1, 2, 3, 4]


def test_damaged_checkpoints_are_said(tmp_path: Path) -> None:
    stop_after(2, tmp_path)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    standing, events = train(Line(), tmp_path)
    assert texts(events) == [f"The checkpoints in {tmp_path} are damaged: the training begins anew."]
    assert standing.epoch == 5


def test_the_time_of_all_sessions_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Clock(Line):
        def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
            now[0] += 1
            return super().loss(network, shown)

    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    stop_after(2, tmp_path, Clock())
    first = read_checkpoint(tmp_path)
    assert first is not None
    now[0] = 0
    standing, _ = train(Clock(), tmp_path)
    assert standing.seconds == 16  # four steps an epoch; that of the step that was cut off is lost
    assert standing.started == first.facts["standing"]["started"]


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
    assert (standing.best_epoch, len(scores(standing))) == (2, 5)
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


class Compiled(nn.Module):
    """In place of a compiled network: computes the same."""

    asked = 0

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Compiled.asked += 1
        answer: torch.Tensor = self.network(x)
        return answer


@pytest.mark.parametrize("pays", [True, False])
def test_a_training_that_goes_on_decides_on_compiling_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays: bool
) -> None:
    def seconds(found: float, other: float) -> Callable[..., float]:
        return lambda network, _: found if isinstance(network, Compiled) else other

    monkeypatch.setattr(torch, "compile", Compiled)
    monkeypatch.setattr(compiling, "_seconds", seconds(1, 2) if pays else seconds(2, 1))
    stop_after(2, tmp_path, compile=True)
    monkeypatch.setattr(compiling, "_seconds", seconds(2, 1) if pays else seconds(1, 2))
    Compiled.asked = 0
    standing, _ = train(Line(), tmp_path, compile=True)
    assert standing.compiled is pays
    assert (Compiled.asked > 0) is pays


def test_both_networks_are_warm_when_they_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[str] = []

    def seconds(network: nn.Module, _: object) -> float:
        timed.append(type(network).__name__)
        return 1.0

    monkeypatch.setattr(torch, "compile", Compiled)
    monkeypatch.setattr(compiling, "_seconds", seconds)
    train(Line(), tmp_path, epochs=1, compile=True)
    assert {name: timed.count(name) for name in timed} == {"Straight": 2, "Compiled": 2}


@pytest.mark.soak
def test_a_compiled_training_learns_the_same(tmp_path: Path) -> None:
    """Whether it pays depends on the machine; that the answer is right must not."""
    (tmp_path / "eager").mkdir()
    eager, _ = train(Line(), tmp_path / "eager", epochs=10)
    compiled, events = train(Line(), tmp_path, epochs=10, compile=True)
    assert scores(compiled) == pytest.approx(scores(eager), rel=1e-3)
    assert len([event for event in events if event["type"] == "message"]) == 1


def test_a_gradient_that_is_no_number_names_its_own_images(tmp_path: Path) -> None:
    class Steep(Line):
        def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
            loss = super().loss(network, shown)
            return loss + (loss * 0).sqrt() if 8 in shown.positions.tolist() else loss

    with pytest.raises(ModelError, match=r"\(gradient nan\) at the images point 8, point 9: look at them"):
        train(Steep(), tmp_path)
