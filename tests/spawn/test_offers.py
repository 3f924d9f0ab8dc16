"""What the spawn page says: what can be started, what cannot and why, and how soon."""

from __future__ import annotations

import pytest

from hub_config.cluster import ModuleImage
from hub_config.hardware import HardwareProfile
from hub_config.spawn.form import render_form
from hub_config.spawn.offers import hardware_offers, module_offers
from hub_config.spawn.options import check_request
from hub_config.spawn.refusal import SpawnRefusal
from imagine_lib.wire import Capacity, CatalogueEntry, GPUCapacity, ImageCapacity

NOW = "2026-11-23T00:00:00Z"
IMAGE = f"registry.example.org/x@sha256:{'0' * 64}"


def entry(name: str, *, launchable: bool = True, **more: object) -> CatalogueEntry:
    return CatalogueEntry(name=name, title=name.title(), summary="Names things.", launchable=launchable, **more)


ENTRIES = [
    entry("tested"),
    entry("untested", links={"docker_image": "community/<b>untested</b>"}),
    entry("imageless"),
    entry("serverless", launchable=False),
]
IMAGES = {"tested": ModuleImage(image=IMAGE, contract=1), "untested": ModuleImage(image=IMAGE)}


def gpus(**known: int) -> Capacity:
    return Capacity(measured=NOW, gpus=[GPUCapacity(flavour="a100", title="A100", **known)])


def said(capacity: Capacity, wanted: int = 1) -> str:
    profile = HardwareProfile(title="GPU", cpu=1, memory_mb=1024, gpu=wanted, gpu_flavour="a100")
    return hardware_offers({"gpu": profile}, capacity)[0].available


def test_a_module_is_started_only_from_an_image_that_keeps_the_contract() -> None:
    offers = {offer.entry.name: offer.why_not for offer in module_offers(ENTRIES, IMAGES, Capacity())}
    assert next(iter(offers)) == "tested"
    assert offers == {
        "tested": "",
        "imageless": "The operator has named no image for it.",
        "serverless": "It is used by its own interface and has no notebook server.",
        "untested": "Its image was not found to keep version 1 of the image contract.",
    }


def test_on_one_machine_no_module_needs_an_image() -> None:
    offers = module_offers(ENTRIES, None, Capacity())
    assert [offer.entry.name for offer in offers if not offer.why_not] == ["imageless", "tested", "untested"]


def test_a_choice_that_cannot_be_started_is_refused_with_its_reason() -> None:
    offers = module_offers(ENTRIES, IMAGES, Capacity())
    profiles = {"small": HardwareProfile(title="Small", cpu=1, memory_mb=1024)}
    assert check_request({"module": "tested"}, offers, profiles).module == "tested"
    with pytest.raises(SpawnRefusal) as refusal:
        check_request({"module": "untested"}, offers, profiles)
    assert refusal.value.jupyterhub_message == (
        "The module 'untested' cannot be started here. "
        "Its image was not found to keep version 1 of the image contract. There are tested."
    )
    with pytest.raises(SpawnRefusal, match="holds no module"):
        check_request({}, module_offers(ENTRIES, {}, Capacity()), profiles)


def test_the_page_shows_them_apart_and_says_how_else_to_run_them() -> None:
    page = render_form(module_offers(ENTRIES, IMAGES, Capacity()), [], note="")
    assert page.count('name="module"') == 1
    assert "3 more in the catalogue" in page
    assert "docker run --rm -p 5000:5000 community/&lt;b&gt;untested&lt;/b&gt; deepaas-run" in page


def test_what_a_first_start_waits_for() -> None:
    def wait(machines: int, size: int | None) -> str:
        images = [ImageCapacity(module="tested", machines=machines, of=4, size=size)]
        return module_offers(ENTRIES, IMAGES, Capacity(images=images, measured=NOW))[0].wait

    assert wait(4, 5_000_000_000) == ""
    assert wait(1, 5_000_000_000) == "Ready on 1 of 4 machines; elsewhere 5.0 GB are fetched first."
    assert wait(0, None) == "On no machine yet: the first start fetches it, which takes minutes."


@pytest.mark.parametrize(
    ("capacity", "sentence"),
    [
        (gpus(total=8, free=3, free_together=2), "3 of 8 free now."),
        (gpus(total=8, free=0, free_together=0), "None is free now: yours starts when one is given back."),
        (
            gpus(total=8, free=0, free_together=0, waiting=1),
            "None is free now, and one server waits: yours starts when one is given back.",
        ),
        (
            gpus(total=8, free=0, free_together=0, waiting=3),
            "None is free now, and 3 servers wait: yours starts when one is given back.",
        ),
        (gpus(total=0, free=0, free_together=0), "There is none at the moment."),
        (gpus(total=8), "8 in all; how many are free is not known."),
        (Capacity(), "How many are free is not known."),
    ],
)
def test_how_many_gpus_are_free(capacity: Capacity, sentence: str) -> None:
    assert said(capacity) == sentence


def test_gpus_on_several_machines_are_not_enough_for_a_server_that_needs_them_together() -> None:
    assert said(gpus(total=8, free=3, free_together=1), wanted=2) == (
        "3 free now, but not 2 on one machine: yours starts when one is given back."
    )


def test_hardware_without_a_gpu_says_nothing_of_them() -> None:
    profile = HardwareProfile(title="Small", cpu=1, memory_mb=1024)
    assert hardware_offers({"small": profile}, gpus(total=8, free=1, free_together=1))[0].available == ""
