"""The model card: what a colleague must know before using a model, filled from what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.wire import MEASURES

if TYPE_CHECKING:
    from imagine_lib.wire import ModelManifest

DEMONSTRATION = (
    "> **Demonstration model.** It knows shapes that a program drew and no living thing. "
    "It is here to show the way and as weights to start from; do not publish what it says."
)


def write_card(title: str, manifest: ModelManifest, data: str) -> str:
    """Write a card in Markdown.

    Parameters
    ----------
    title
        The model's name.
    manifest
        What is known of it.
    data
        Which images it learned from, in words.

    Returns
    -------
    str
    """
    parts = [f"# {title}", _summary(manifest), *_notice(manifest), "## Classes", _classes(manifest)]
    parts += ["## Data", f"Learned from {data}.", "## How it was tested", _metrics(manifest), "## Limits"]
    parts += [
        "It names one of its classes for every image, also for things it never saw.",
        "## Where it comes from",
    ]
    parts += [_provenance(manifest)]
    return "\n\n".join(parts) + "\n"


def render_card(card: str) -> str:
    """Return a card as HTML in which nothing can run or load: cards come from strangers.

    JupyterLab trusts what a cell displays, so a card's own HTML is shown as text and its pictures are left out.
    """
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(card))


def _summary(manifest: ModelManifest) -> str:
    return f"Tells {len(manifest.classes)} classes of images apart ({manifest.architecture.builder})."


def _notice(manifest: ModelManifest) -> list[str]:
    return [DEMONSTRATION] if manifest.status == "demonstration" else []


def _classes(manifest: ModelManifest) -> str:
    """A column for the AphiaID where any class has one."""
    if not any(entry.aphia_id for entry in manifest.classes):
        rows = [f"| {_cell(entry.name)} | {entry.support} |" for entry in manifest.classes]
        return "\n".join(["| class | training images |", "| --- | ---: |", *rows])
    rows = [f"| {_cell(entry.name)} | {entry.support} | {entry.aphia_id or ''} |" for entry in manifest.classes]
    return "\n".join(["| class | training images | AphiaID |", "| --- | ---: | --- |", *rows])


def _metrics(manifest: ModelManifest) -> str:
    if manifest.metrics is None:
        return "It was not tested."
    values = ", ".join(f"{MEASURES[key]} {value:.3f}" for key, value in manifest.metrics.values.items())
    how = "kept apart by group" if manifest.metrics.grouped else "kept apart image by image, not by sample"
    return f"On {manifest.metrics.images} images that it had not seen, {how}: {values}."


def _provenance(manifest: ModelManifest) -> str:
    source = manifest.provenance
    base = f"Retrained from `{source.base}`" if source.base else "Trained from random weights"
    return f"{base}, seed {source.seed}, in {source.seconds or 0:.0f} s on {source.hardware or 'unknown hardware'}."


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
