"""What learns how fast, and the average of what was learned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imagine_lib.models.network import build_network, head_parameters
from imagine_lib.training import Recipe
from imagine_lib.training.averaging import make_average
from imagine_lib.training.optimiser import make_optimiser, set_rates
from imagine_lib.wire import Architecture

RECIPE = Recipe(learning_rate=0.1, layer_decay=0.5, warmup=0.2)


@pytest.mark.parametrize("builder", ["mobilenet_v3_small", "resnet18", "convnext_tiny", "vit_b_16"])
def test_trained_layers_learn_the_slower_the_nearer_they_are_to_the_pixels(builder: str) -> None:
    network = build_network(Architecture(builder=builder), 3)
    groups = make_optimiser(network, RECIPE, pretrained=True).param_groups
    rates = [group["lr"] for group in groups]
    assert rates == sorted(rates)
    assert len(set(rates)) >= 6
    assert {id(p) for group in groups if group["lr"] == 0.1 for p in group["params"]} == {
        id(p) for p in head_parameters(network)
    }
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_random_layers_all_learn_alike_and_only_weights_decay() -> None:
    network = build_network(Architecture(builder="resnet18"), 3)
    groups = make_optimiser(network, RECIPE, pretrained=False).param_groups
    assert {group["lr"] for group in groups} == {0.1}
    for group in groups:
        flat = {parameter.ndim < 2 for parameter in group["params"]}
        assert flat == {group["weight_decay"] == 0.0}


def test_the_rate_rises_and_falls() -> None:
    network = nn.Module()
    network.fc = nn.Linear(2, 2)
    optimiser = make_optimiser(network, RECIPE, pretrained=False)

    def rate(done: float) -> float:
        set_rates(optimiser, RECIPE, done)
        return float(optimiser.param_groups[0]["lr"])

    assert [rate(done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.05, 0.1, 0.05, 0.0])


def test_the_average_follows_quickly_at_first_and_slowly_later() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
        average = make_average(network, 0.9)
        average.update_parameters(network)
        network.weight.fill_(1.0)
        average.update_parameters(network)
        early = average.module.weight.item()
        for _ in range(200):
            average.update_parameters(network)
        network.weight.fill_(2.0)
        before = average.module.weight.item()
        average.update_parameters(network)
    assert early == pytest.approx(1 - 2 / 11)
    assert before == pytest.approx(1.0, abs=1e-3)
    assert average.module.weight.item() == pytest.approx(0.9 * before + 0.1 * 2.0)
