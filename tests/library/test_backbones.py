"""Backbones: each of torchvision's networks builds, takes a head for our classes, learns and answers."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from imagine_lib.errors import ImagineError, ModelError, UsageError
from imagine_lib.models import weights
from imagine_lib.models.backbones import Backbone, backbone
from imagine_lib.models.families import CLASSIFIERS, fixed_size
from imagine_lib.models.network import build_network, last_linear
from imagine_lib.models.stored import hash_file
from imagine_lib.wire import Architecture

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

LEARNED = 7
SMALL = "mobilenet_v3_small"


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shelf"
    monkeypatch.setenv("IMAGINE_WEIGHTS", str(folder))
    monkeypatch.delenv("IMAGINE_WEIGHTS_URL", raising=False)
    return folder


def learned(builder: str, path: Path, size: int | None = None) -> tuple[Path, nn.Module]:
    """Save a network of seven classes; its weights are random, which nobody can tell."""
    torch.manual_seed(0)
    network = build_network(
        Architecture(builder=builder, arguments={"image_size": size} if size else {}), LEARNED
    ).eval()
    save_file(network.state_dict(), path)
    return path, network


def without_head(network: nn.Module) -> dict[str, torch.Tensor]:
    head = {id(parameter) for parameter in last_linear(network)[2].parameters()}
    return {name: value for name, value in network.named_parameters() if id(value) not in head}


@pytest.mark.parametrize("builder", CLASSIFIERS)
def test_each_builds_from_trained_weights_learns_and_answers(builder: str, tmp_path: Path) -> None:
    size = 64
    transformer = fixed_size(builder) is not None
    path, before = learned(builder, tmp_path / "weights.safetensors", size if transformer else None)
    chosen = backbone(builder, path).at(size)
    assert chosen.weights is not None
    assert chosen.weights.classes == LEARNED
    network = chosen.build(3)
    trained = without_head(before)
    assert trained.keys() == without_head(network).keys()
    assert all(torch.equal(value, trained[name]) for name, value in without_head(network).items())

    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    torch.nn.functional.cross_entropy(network.train()(torch.rand(4, 3, size, size)), torch.arange(4) % 3).backward()
    assert all(value.grad is not None for value in network.parameters())
    optimiser.step()
    with torch.inference_mode():
        answers = network.eval()(torch.rand(2, 3, size, size))
    assert answers.shape == (2, 3)
    assert answers.isfinite().all()
    path.unlink()


def test_random_weights_are_only_given_when_asked_for_and_are_named(shelf: Path) -> None:
    chosen = backbone("resnet18", None)
    assert chosen == Backbone(Architecture(builder="resnet18"), None)
    assert repr(chosen) == "<Backbone resnet18: random weights, nothing learned yet>"
    assert chosen.seen() == frozenset()
    assert last_linear(chosen.build(4))[2].out_features == 4
    assert not shelf.exists()


def test_weights_that_are_nowhere_are_an_error_that_names_the_three_places(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS", f"{shelf}{os.pathsep}/opt/weights")
    with socket.socket() as taken:  # bound and never listening: nobody can answer there
        taken.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("IMAGINE_WEIGHTS_URL", server)
        with pytest.raises(ModelError) as refused:
            backbone("resnet18")
    assert str(refused.value) == (
        f"There are no trained weights for resnet18 here: weights= names no file, the folder {shelf}:/opt/weights "
        f"(IMAGINE_WEIGHTS) does not hold them, and from the network: {server}/models/resnet18-f37072fd.pth cannot be "
        "reached: there is no network, or the server is down; run `imagine weights fetch resnet18` where there is a "
        "network and copy that folder, or `imagine weights import` a file."
    )


def test_the_file_that_is_named_comes_before_the_folders(tmp_path: Path) -> None:
    path, _ = learned(SMALL, tmp_path / "named.safetensors")
    stored = weights.import_file(path, SMALL, name="kept")
    kept = backbone(SMALL, "kept")
    assert kept.weights == stored
    assert repr(kept) == f"<Backbone {SMALL}: trained on kept>"
    named = backbone(SMALL, path)
    assert named.weights is not None
    assert named.weights.path == path
    assert backbone(SMALL, stored.path).weights == stored


def test_a_pth_is_converted_once(tmp_path: Path, shelf: Path) -> None:
    path, network = learned(SMALL, tmp_path / "named.safetensors")
    torch.save(network.state_dict(), tmp_path / "named.pth")
    digest = weights.import_file(tmp_path / "named.safetensors", SMALL, name="same").sha256
    with pytest.raises(
        ModelError, match=r"named\.pth is a \.pth file that torchvision does not know: give the sha256"
    ):
        backbone(SMALL, tmp_path / "named.pth")
    with pytest.raises(ModelError, match="is not the file that was meant"):
        backbone(SMALL, tmp_path / "named.pth", sha256=digest)
    pinned = hash_file(tmp_path / "named.pth")
    first = backbone(SMALL, tmp_path / "named.pth", sha256=pinned)
    assert first == backbone(SMALL, tmp_path / "named.pth", sha256=pinned)
    assert first.weights is not None
    assert first.weights.path.parent == shelf
    torch.testing.assert_close(load_file(first.weights.path), load_file(path), rtol=0, atol=0)


def test_weights_of_another_network_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path, _ = learned(SMALL, tmp_path / "small.safetensors")
    for builder in ("resnet18", "mobilenet_v3_large", "vit_b_16"):
        with pytest.raises(ModelError, match=f"does not hold weights of {builder}"):
            backbone(builder, path)
    stored = weights.import_file(path, SMALL, name="kept")
    with pytest.raises(ModelError, match=f"holds weights of {SMALL} and not of resnet18"):
        backbone("resnet18", stored.path)


def test_the_weights_of_a_package_are_no_backbone(tmp_path: Path) -> None:
    """What the model has seen is only known of the package as a whole."""
    path, _ = learned(SMALL, tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ModelError, match=r"is part of a model package: start from im\.load\("):
        backbone(SMALL, path)


def test_another_sha256_than_that_of_the_stored_weights_is_refused(tmp_path: Path) -> None:
    path, _ = learned(SMALL, tmp_path / "named.safetensors")
    stored = weights.import_file(path, SMALL, name="kept")
    assert backbone(SMALL, "kept", sha256=stored.original_sha256).weights == stored
    with pytest.raises(ModelError, match="was made from another file"):
        backbone(SMALL, "kept", sha256="0" * 64)
    with pytest.raises(ModelError, match="is not the file that was meant"):
        backbone(SMALL, path, sha256="0" * 64)


@pytest.mark.parametrize(
    ("builder", "size", "sentence"),
    [
        ("vit_b_16", 100, "vit_b_16 cannot take images of 100 x 100 px: choose a multiple of 16 as image_size."),
        ("convnext_tiny", 24, "convnext_tiny cannot take images of 24 x 24 px: choose a larger size as image_size."),
        ("maxvit_t", 64, "maxvit_t cannot take images of 64 x 64 px: choose 224 as image_size."),
        (
            "vit_b_16",
            16000,
            "vit_b_16 cannot take images of 16000 x 16000 px: choose a multiple of 16 as image_size.",
        ),
    ],
)
def test_a_size_that_a_network_cannot_take_is_refused_at_once(builder: str, size: int, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        backbone(builder, None).at(size)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("builder", CLASSIFIERS)
def test_the_fixed_sizes_are_true(builder: str) -> None:
    with torch.device("meta"):
        network, images = backbone(builder, None).build(2).eval(), torch.empty(1, 3, 96, 96)
    if fixed_size(builder) is None:
        assert network(images).shape == (1, 2)
        assert backbone(builder, None).at(96) == backbone(builder, None)
    else:
        with pytest.raises(AssertionError):
            network(images)
        assert backbone(builder, None).at(96).architecture.arguments == {"image_size": 96}


def test_a_vision_transformer_takes_its_knowledge_of_places_to_another_size(tmp_path: Path) -> None:
    path, before = learned("vit_b_16", tmp_path / "vit.safetensors", 48)
    network = backbone("vit_b_16", path).at(80).build(3)
    path.unlink()
    old, new = before.encoder.pos_embedding[0].detach(), network.encoder.pos_embedding[0].detach()
    assert new.shape == (1 + 5 * 5, old.shape[1])
    torch.testing.assert_close(new[0], old[0])
    old_grid, new_grid = old[1:].unflatten(0, (3, 3)), new[1:].unflatten(0, (5, 5))
    # Corner on corner, and every second place of five falls on one of three.
    torch.testing.assert_close(new_grid[::2, ::2], old_grid)
    halfway = bicubic(-0.75, [old_grid[0, 0], old_grid[0, 0], old_grid[0, 1], old_grid[0, 2]])
    torch.testing.assert_close(new_grid[0, 1], halfway, atol=1e-5, rtol=1e-4)
    assert network(torch.rand(1, 3, 80, 80)).shape == (1, 3)


def bicubic(a: float, neighbours: list[torch.Tensor]) -> torch.Tensor:
    """The value halfway between the two in the middle (Keys 1981, equation 4)."""

    def weight(distance: float) -> float:
        if distance <= 1:
            return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a

    distances = (1.5, 0.5, 0.5, 1.5)
    return torch.stack([weight(d) * value for d, value in zip(distances, neighbours, strict=True)]).sum(0)


@pytest.mark.parametrize("size", [0.0, 32.5, -32.0, 8192.0])
def test_a_package_cannot_ask_for_a_network_of_absurd_size(size: float) -> None:
    with pytest.raises(ImagineError, match="A network cannot be built for images of"):
        build_network(Architecture(builder="vit_b_16", arguments={"image_size": size}), 2)


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(UsageError, match="torchvision has no network 'resnet1'; it has"):
        backbone("resnet1", None)


@pytest.mark.parametrize("builder", ["lraspp_mobilenet_v3_large", "ssdlite320_mobilenet_v3_large"])
def test_networks_that_locate_begin_with_random_weights(builder: str) -> None:
    chosen = backbone(builder, None)
    assert chosen.at(96) == chosen
    chosen.build(3)
    with pytest.raises(UsageError, match=f"^{builder} is no network for classification"):
        backbone(builder)
