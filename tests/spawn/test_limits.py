"""Who may start what, and what is said to who may not."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from hub_config.hardware import GPUFlavour, GroupLimits, HardwareProfile, Limits, SpawnSettings
from hub_config.spawn import ledger
from hub_config.spawn.ledger import DAY_SECONDS, HOUR_SECONDS, Ledger
from hub_config.spawn.limits import Held, Wish, find_group
from hub_config.spawn.refusal import SpawnRefusal

GPU = HardwareProfile(title="GPU", cpu=1, memory_mb=1, gpu=1, gpu_flavour="a100")
CPU = HardwareProfile(title="CPU", cpu=1, memory_mb=1)


def spawn(count: int | None = None, **limits: GroupLimits) -> SpawnSettings:
    return SpawnSettings(gpu_flavours={"a100": GPUFlavour(title="NVIDIA A100", count=count)}, limits=limits)


def held(user: str, group: str = "", gpus: int = 1) -> Held:
    return Held(user, group, gpus, "a100" if gpus else "")


def group_for(
    hardware: HardwareProfile, settings: SpawnSettings, *others: Held, used: float = 0, groups=("g",)
) -> str:
    return find_group(Wish("rosa", groups, hardware), settings, others, lambda *_: used)


def test_without_limits_nobody_is_limited() -> None:
    assert group_for(GPU, spawn(), *[held("rosa")] * 50) == ""


def test_the_last_gpu_is_given_and_then_it_is_said_who_has_them() -> None:
    assert group_for(GPU, spawn(count=2), held("ada")) == ""
    with pytest.raises(
        SpawnRefusal, match="All 2 of NVIDIA A100 are in use: ada has 1 server with 1 GPU, li has 1"
    ) as refused:
        group_for(GPU, spawn(count=2), held("ada"), held("li"))
    assert refused.value.status_code == 429
    assert group_for(CPU, spawn(count=2), held("ada"), held("li")) == ""


def test_a_user_may_hold_so_many_servers() -> None:
    settings = spawn(g=GroupLimits(each=Limits(servers=1)))
    assert group_for(CPU, settings, held("ada", "g")) == "g"
    with pytest.raises(SpawnRefusal, match="You may have at most 1 servers: rosa has 1 server"):
        group_for(CPU, settings, held("rosa", "g", 0))


def test_a_group_may_hold_so_many_gpus_together() -> None:
    settings = spawn(g=GroupLimits(together=Limits(gpus=2)))
    assert group_for(GPU, settings, held("ada", "g"), held("li", "other")) == "g"
    with pytest.raises(
        SpawnRefusal, match=r"The group g may have at most 2 GPUs: ada has 1 server with 1 GPU, li has"
    ):
        group_for(GPU, settings, held("ada", "g"), held("li", "g"))
    assert group_for(CPU, settings, held("ada", "g"), held("li", "g")) == "g"


def test_a_server_counts_for_the_first_group_that_has_room() -> None:
    settings = spawn(small=GroupLimits(each=Limits(gpus=0)), big=GroupLimits(each=Limits(gpus=1)))
    assert group_for(GPU, settings, groups=("big", "small")) == "big"
    assert group_for(CPU, settings, groups=("big", "small")) == "small"


def test_hours_that_are_used_up_leave_hardware_without_a_gpu() -> None:
    settings = spawn(g=GroupLimits(each=Limits(gpu_hours=10)))
    assert group_for(GPU, settings, used=9.9) == "g"
    with pytest.raises(SpawnRefusal, match=r"You may have 10 GPU-hours in 30 days, and 10\.0 are used"):
        group_for(GPU, settings, used=10)
    assert group_for(CPU, settings, used=10) == "g"


def test_who_is_in_no_limited_group_starts_nothing() -> None:
    with pytest.raises(SpawnRefusal, match="Your groups may start no server here") as refused:
        group_for(CPU, spawn(g=GroupLimits()), groups=("strangers",))
    assert refused.value.status_code == 403


def test_hours_are_counted_for_user_and_group_and_forgotten_after_30_days(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1e9]
    monkeypatch.setattr(ledger.time, "time", lambda: clock[0])
    kept = Ledger(Session(create_engine("sqlite://")))
    kept.begin(Held("rosa", "g", 2, "a100"))
    kept.begin(Held("ada", "g", 1, "a100"))
    kept.begin(Held("li", "g", 0, ""))
    clock[0] += HOUR_SECONDS
    kept.end("rosa")
    clock[0] += HOUR_SECONDS
    assert (kept.hours("g", "rosa"), kept.hours("g", "ada"), kept.hours("g"), kept.hours("other")) == (2, 2, 4, 0)
    kept.end_all_but(["li"])
    clock[0] += 29 * DAY_SECONDS + 23 * HOUR_SECONDS
    assert kept.hours("g") == 1
    clock[0] += DAY_SECONDS
    assert kept.hours("g") == 0
