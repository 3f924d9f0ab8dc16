"""What every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagine_lib.data.synthetic import write_dataset

PROJECT = Path(__file__).parent.parent
SHARED = PROJECT.parent / "shared" / "data"
SLOW_TO_START = ("workspace", "lab")
"""Fixtures that are started once for the tests of several files."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Send what shares a server to the same worker: the tests of a file, and all that use one that is slow to start."""
    for item in items:
        group = next((name for name in SLOW_TO_START if name in item.fixturenames), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def plankton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of fifteen drawn images, from five samples."""
    folder = tmp_path_factory.mktemp("plankton")
    write_dataset(folder, ["bell", "comb", "spiral"], each=15, seed=5, samples=range(5))
    return folder


@pytest.fixture(scope="session")
def real_images() -> Path:
    """Photographs of plankton; they are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real images are not on this machine (../shared/data)")
    return SHARED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write the files that results are compared with anew")
