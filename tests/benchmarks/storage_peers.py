"""What moves files to and from a Nextcloud: ours, and what researchers use today."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import fsspec

from imagine_lib.storage import Credential, NextcloudFileSystem, stage, sync
from tests.benchmarks.hardware import PROJECT

SYSTEMS = ("imagine_lib", "rclone", "webdav4", "aiohttp")
IN_FLIGHT = 32
"""Requests that the plain loop has under way."""
TRANSFERS = 16
LIST = """
import sys, time
from pathlib import Path
from imagine_lib.storage import NextcloudFileSystem
from imagine_lib.storage.webdav import listing

def most_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

async def count(cloud, path):
    return sum([1 async for _ in listing.arriving(cloud, path)])

files = NextcloudFileSystem()
files.exists("")
before, begin = most_mb(), time.perf_counter()
files.run(listing.page(files.client, sys.argv[1]))
first = time.perf_counter() - begin
begin = time.perf_counter()
assert files.run(count(files.client, sys.argv[1])) == int(sys.argv[2])
print(f"{first:.2f} {time.perf_counter() - begin:.1f} {most_mb() - before:.0f}")
"""


@dataclass(frozen=True)
class Told:
    """Where an account is."""

    url: str
    user: str
    password: str
    scratch: Path

    @property
    def address(self) -> str:
        """The address of the account's files."""
        return f"{self.url}/remote.php/dav/files/{self.user}"

    def files(self) -> NextcloudFileSystem:
        """Return our filesystem on it, as a program of the user's opens it."""
        return NextcloudFileSystem(Credential(url=self.url, user=self.user, password=self.password))


def upload(system: str, told: Told, folder: Path, remote: str) -> None:
    """Bring a folder of files to the server."""
    if system == "imagine_lib":
        report = sync(folder, f"nextcloud:/{remote}", "up", filesystem=told.files(), progress=lambda *_: None)
        assert not report.failed
    elif system == "rclone":
        _rclone(told, "copy", str(folder), f":webdav:{remote}")
    elif system == "webdav4":
        _webdav4(told).put(f"{folder}/", f"{remote}/", recursive=True)
    else:
        asyncio.run(_upload(told, list(folder.iterdir()), remote))


def download(system: str, told: Told, folder: Path, remote: str) -> None:
    """Bring a folder of files from the server to a folder that is not there yet."""
    if system == "imagine_lib":
        stage(f"nextcloud:/{remote}", lambda *_: None, told.files()).rename(folder)
    elif system == "rclone":
        _rclone(told, "copy", f":webdav:{remote}", str(folder))
    elif system == "webdav4":
        _webdav4(told).get(remote, str(folder), recursive=True)
    else:
        folder.mkdir()
        asyncio.run(_download(told, folder, remote))


def upload_one(system: str, told: Told, source: Path, remote: str) -> None:
    """Send one file, by ours or as a raw stream."""
    if system == "imagine_lib":
        told.files().put_file(source, remote)
    else:
        _curl(told, remote, "--upload-file", str(source))


def download_one(system: str, told: Told, target: Path, remote: str) -> None:
    """Receive one file, by ours or as a raw stream."""
    if system == "imagine_lib":
        told.files().get_file(remote, target)
    else:
        _curl(told, remote, "--output", str(target))


def list_in_a_process(told: Told, path: str, entries: int) -> tuple[float, float, int]:
    """List a folder by a program of its own.

    Returns
    -------
    tuple
        Seconds to the first page, seconds for all, and by how many MB the program's memory grew.
    """
    credential = told.scratch / "credential.json"
    credential.write_text(json.dumps({"url": told.url, "user": told.user, "password": told.password}))
    environment = os.environ | {"IMAGINE_STORAGE_CREDENTIALS": str(credential), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", LIST, path, str(entries)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return float(printed[0]), float(printed[1]), int(printed[2])


def _rclone(told: Told, *arguments: str) -> None:
    rclone = str(Path(sys.executable).with_name("rclone"))
    obscured = subprocess.run(
        [rclone, "obscure", "-"], input=told.password, capture_output=True, text=True, check=True
    )
    environment = os.environ | {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_WEBDAV_URL": told.address,
        "RCLONE_WEBDAV_VENDOR": "nextcloud",
        "RCLONE_WEBDAV_USER": told.user,
        "RCLONE_WEBDAV_PASS": obscured.stdout.strip(),
    }
    fast = ["--transfers", str(TRANSFERS), "--checkers", str(TRANSFERS), "--webdav-pacer-min-sleep", "0"]
    subprocess.run([rclone, *arguments, *fast], env=environment, check=True, capture_output=True)


def _webdav4(told: Told) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem(
        "webdav", base_url=told.address, auth=(told.user, told.password), timeout=60, skip_instance_cache=True
    )


def _curl(told: Told, remote: str, *arguments: str) -> None:
    command = ["curl", "--silent", "--fail", "--config", "-", *arguments, f"{told.address}/{remote}"]
    subprocess.run(
        command, input=f'user = "{told.user}:{told.password}"\n', check=True, text=True, capture_output=True
    )


def _session(told: Told) -> aiohttp.ClientSession:
    authorised = aiohttp.BasicAuth(told.user, told.password)
    return aiohttp.ClientSession(auth=authorised, connector=aiohttp.TCPConnector(limit=IN_FLIGHT))


async def _download(told: Told, folder: Path, remote: str) -> None:
    async with _session(told) as session:
        async with session.request("PROPFIND", f"{told.address}/{remote}/", headers={"Depth": "1"}) as answer:
            names = [part.partition("</d:href>")[0] for part in (await answer.text()).split("<d:href>")[2:]]

        async def fetch(href: str) -> None:
            async with session.get(f"{told.url}{href}") as answer:
                answer.raise_for_status()
                (folder / href.rpartition("/")[2]).write_bytes(await answer.read())

        await asyncio.gather(*map(fetch, names))  # the connector lets so many through at a time


async def _upload(told: Told, paths: list[Path], remote: str) -> None:
    async with _session(told) as session:
        async with session.request("MKCOL", f"{told.address}/{remote}") as answer:
            answer.raise_for_status()

        async def send(path: Path) -> None:
            content = path.read_bytes()  # noqa: ASYNC240  # as such loops are written
            async with session.put(f"{told.address}/{remote}/{path.name}", data=content) as answer:
                answer.raise_for_status()

        await asyncio.gather(*map(send, paths))
