"""What the operator's guide says to write and to run works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import psycopg
import pytest
import yaml

from hub_config.settings import Settings
from tests.conftest import PROJECT
from tests.deploy.test_chart import made
from tests.platform.conftest import postgres  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (PROJECT / "docs" / "operator" / "kubernetes.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    first, _, third = (yaml.safe_load(block) for block in blocks("yaml"))
    return {**first, **third}


def test_our_chart_takes_the_values_and_kubernetes_what_comes_of_them(values: dict[str, Any]) -> None:
    for (kind, _), one in made(values).items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_settings_are_settings(values: dict[str, Any]) -> None:
    settings = Settings(**values["settings"])
    assert settings.kubernetes.images["phytoplankton"].contract == 1
    assert set(settings.spawn.sites) == {"csic", "incd", "walton", "tubitak"}


def test_each_file_of_a_secret_that_is_read_is_made(values: dict[str, Any]) -> None:
    (command,) = [block for block in blocks("sh") if "create secret" in block]
    made_files = set(re.findall(r"--from-(?:file|literal)=([\w-]+)=", command))
    read = set(re.findall(r"/run/imagine/secrets/([\w-]+)", yaml.safe_dump(values)))
    assert read | {"pgpass"} == made_files


@pytest.fixture
def databases(postgres: str) -> Iterator[dict[str, str]]:  # noqa: F811
    names = {"HUB_DATABASE": "backup_hub", "PLATFORM_DATABASE": "backup_platform"}
    with psycopg.connect(host=postgres, user="imagine", dbname="postgres", autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"CREATE DATABASE {name}")
    yield {variable: f"postgresql://imagine@/{name}?host={postgres}" for variable, name in names.items()}
    with psycopg.connect(host=postgres, user="imagine", dbname="postgres", autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_backup_brings_back_what_was_there_and_takes_away_what_came_later(
    databases: dict[str, str], tmp_path: Path
) -> None:
    (dump,) = [block for block in blocks("sh") if "pg_dump" in block]
    (restore,) = [block for block in blocks("sh") if "pg_restore" in block]
    for url in databases.values():
        run_sql(url, "CREATE TABLE kept (word text PRIMARY KEY)", "INSERT INTO kept VALUES ('before')")
    run_shell(dump, databases, tmp_path)
    for url in databases.values():
        run_sql(url, "INSERT INTO kept VALUES ('after')")
    run_sql(databases["HUB_DATABASE"], "DROP TABLE kept")
    run_shell(restore, databases, tmp_path)
    for url in databases.values():
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("before",)]


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def run_shell(commands: str, environment: dict[str, str], folder: Path) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    if not shutil.which("pg_dump", path=path):
        pytest.skip("pg_dump is not installed")
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=folder, env={"PATH": path, **environment}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
