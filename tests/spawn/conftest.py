"""Spawners of pods that have settings and no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from traitlets.config import Config

from hub_config.settings import Settings
from hub_config.spawn.kubernetes import PodSpawner
from hub_config.spawn.pods import fixed_traits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
"""


@pytest.fixture
def spawner_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PodSpawner]:
    """Make a spawner as the hub would, for a user who never was."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))

    def make(**settings: Any) -> PodSpawner:
        found = Settings(state=tmp_path, **settings)
        config = Config(PodSpawner=fixed_traits(found.kubernetes) | {"settings": found})
        spawner = PodSpawner(config=config, _mock=True)
        spawner.api_token = TOKEN
        return spawner

    return make


TOKEN = "a-token-that-no-pod-may-show"
