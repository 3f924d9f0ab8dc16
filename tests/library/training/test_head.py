"""The head first: a convex problem with one answer, on features that mean what they will mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from imagine_lib.errors import UsageError
from imagine_lib.models.network import last_linear, replace_head
from imagine_lib.training.head import PENALTY, adapt_normalisation, fit_head
from imagine_lib.training.start import kept_classes
from imagine_lib.wire import ClassEntry


class Network(nn.Module):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(features, classes)


def test_the_head_is_scikit_learns_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    given = rng.normal(size=(200, 5)) * [1, 10, 0.1, 1, 1] + 2.0 * np.eye(3, 5)[targets]
    network = Network(5, 3)
    fit_head(network, torch.tensor(given, dtype=torch.float32), torch.from_numpy(targets), torch.ones(3))
    standard = (given - given.mean(0)) / given.std(0, ddof=1)
    peer = LogisticRegression(C=1 / (2 * PENALTY * len(given)), tol=1e-8, max_iter=1000).fit(standard, targets)
    with torch.no_grad():
        answers = torch.softmax(network.fc(torch.tensor(given, dtype=torch.float32)), dim=1).numpy()
    assert answers == pytest.approx(peer.predict_proba(standard), abs=2e-3)


def test_features_that_never_vary_do_no_harm() -> None:
    given = torch.cat([torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.ones(50, 1)], dim=1)
    network = Network(3, 2)
    fit_head(network, given, (given[:, 0] > 0).long(), torch.ones(2))
    assert torch.isfinite(network.fc.weight).all()
    assert network.fc.weight.abs().max() < 100


def test_normalisation_is_measured_on_the_new_images() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout())
    network.eval()
    images = 5 + 2 * torch.randn(256, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    adapt_normalisation(network, torch.split(images, 64))
    assert network[0].running_mean.tolist() == pytest.approx([5.0] * 3, abs=0.1)  # type: ignore[union-attr, operator]
    assert network[0].running_var.tolist() == pytest.approx([4.0] * 3, abs=0.3)  # type: ignore[union-attr, operator]
    assert not network.training


def classes(*names: str, **taxa: int) -> list[ClassEntry]:
    return [ClassEntry(name=name, aphia_id=taxa.get(name)) for name in names]


def test_classes_that_mean_the_same_are_found_by_name_new_name_and_taxon() -> None:
    old = classes("copepod", "copepod dead", "fish", "jelly", jelly=135220)
    new = classes("Scyphozoa", "copepods", "fish", "worm", Scyphozoa=135220)
    renamed = {"copepod": "copepods", "copepod dead": "copepods"}
    assert kept_classes(old, new, renamed) == {1: [0, 1], 2: [2], 0: [3]}


@pytest.mark.parametrize(
    ("renamed", "sentence"),
    [
        ({"whale": "fish"}, "The base model has no class 'whale' that could be renamed."),
        ({"fish": "whale"}, "The images have no class 'whale', which 'fish' is renamed to."),
    ],
)
def test_a_new_name_that_fits_nothing_is_refused(renamed: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        kept_classes(classes("fish"), classes("fish"), renamed)
    assert str(error.value) == sentence


def test_a_head_for_other_classes_answers_as_before_for_those_it_kept() -> None:
    network = Network(4, 3)
    before = network.fc
    replace_head(network, 4, {2: [0], 1: [1, 2]})
    given = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = before(given), last_linear(network)[2](given)
    assert torch.allclose(new[:, 2], old[:, 0])
    assert torch.allclose(network.fc.weight[1], before.weight[1:].mean(dim=0))
    assert network.fc.weight[[0, 3]].abs().max() < 0.1
