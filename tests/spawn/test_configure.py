"""The hub's configuration on Kubernetes: beside what a chart has said, and instead of nothing that it must say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traitlets.config import Config

from hub_config.configure import configure
from hub_config.settings import Settings
from hub_config.spawn.kubernetes import PodSpawner

if TYPE_CHECKING:
    from pathlib import Path


def chart() -> Config:
    """What the Zero to JupyterHub chart sets before it runs extra configuration."""
    config = Config()
    config.JupyterHub.hub_bind_url = "http://:8081"
    config.JupyterHub.db_url = "postgresql://hub@db/hub"
    config.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
    config.JupyterHub.services = [{"name": "jupyterhub-idle-culler", "api_token": "x"}]
    config.JupyterHub.load_roles = [{"name": "jupyterhub-idle-culler", "services": ["jupyterhub-idle-culler"]}]
    config.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    config.KubeSpawner.image = "stock/singleuser:4"
    config.KubeSpawner.privileged = True
    return config


def test_the_charts_services_addresses_and_roles_stay(tmp_path: Path) -> None:
    config = chart()
    configure(config, Settings(state=tmp_path, spawn={"spawner": "kubernetes"}))
    assert config.JupyterHub.hub_bind_url == "http://:8081"
    assert config.JupyterHub.db_url == "postgresql://hub@db/hub"
    assert config.ConfigurableHTTPProxy.api_url == "http://proxy-api:8001"
    assert [one["name"] for one in config.JupyterHub.services] == [
        "jupyterhub-idle-culler",
        "imagine",
        "imagine-operator",
    ]
    assert config.JupyterHub.load_roles[0]["name"] == "jupyterhub-idle-culler"
    assert config.JupyterHub.spawner_class is PodSpawner


def test_our_traits_win_over_the_charts(tmp_path: Path) -> None:
    config = chart()
    settings = Settings(
        state=tmp_path, spawn={"spawner": "kubernetes"}, kubernetes={"namespace": "people", "uid": 4711}
    )
    configure(config, settings)
    ours = config.PodSpawner
    assert (ours.namespace, ours.uid, ours.allow_privilege_escalation) == ("people", 4711, False)
    assert ours.privileged is False


def test_keys_come_from_the_file_that_the_operator_names(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("ab" * 32 + "\n" + "cd" * 32 + "\n")
    config = chart()
    configure(config, Settings(state=tmp_path, spawn={"spawner": "kubernetes"}, crypt_keys_file=keys))
    assert config.CryptKeeper["keys"] == [b"\xab" * 32, b"\xcd" * 32]
    assert not (tmp_path / "crypt_keys").exists()
