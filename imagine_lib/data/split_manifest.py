"""A split as a file: the same images are divided alike elsewhere, and next year."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.data.splits import FOUR, THREE, Split, truth_of
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from imagine_lib.data.imageset import ImageSet


def read_split(path: str | os.PathLike[str], data: ImageSet) -> Split:
    """Split a set as a manifest says; see :meth:`imagine_lib.data.splits.Split.load`."""
    try:
        manifest = json.loads(Path(path).read_text("utf-8"))
        named = [name for name in FOUR if name in THREE or name in manifest["parts"]]
        listed = {
            name: [(str(image), digest, truth) for image, digest, truth in manifest["parts"][name]] for name in named
        }
        rule, seed = str(manifest["rule"]), int(manifest["seed"])
        warnings = [str(warning) for warning in manifest["warnings"]]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is no split: give a file that Split.save wrote.") from None
    usable = data.labelled
    found = _find_images(path, usable, listed)
    extra = len(data) - sum(map(len, found.values()))
    if extra:
        warnings.append(f"{extra} images of {data.source} are not in {path} and are left out.")
    parts = {name: usable.subset(rows) for name, rows in found.items()}
    calibrate = parts.get("calibrate", parts["select"])
    return Split(parts["train"], parts["select"], calibrate, parts["test"], seed, rule, tuple(warnings))


def _find_images(
    path: str | os.PathLike[str], data: ImageSet, listed: Mapping[str, Sequence[tuple[str, str | None, str | None]]]
) -> dict[str, list[int]]:
    """Return the positions of the images that a manifest lists; raise where some are gone or changed."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(data.items):
        places[item.name].append(index)
    found: dict[str, list[int]] = {name: [] for name in listed}
    gone, changed, relabelled = [], [], []
    for name, images in listed.items():
        for image, digest, truth in images:
            if not places[image]:
                gone.append(image)
                continue
            index = places[image].pop(0)
            found[name].append(index)
            if data.looks.sha256(index) != digest:
                changed.append(image)
            elif truth_of(data.items[index]) != truth:
                relabelled.append(image)
    for names, state in (
        (gone, "are gone or have no label any more"),
        (changed, "have changed since"),
        (relabelled, "have other labels now"),
    ):
        if names:
            raise DataError(
                f"{len(names)} images of the split {path} {state} in {data.source}, {names[0]!r} among them: "
                "bring them back, or split anew."
            )
    return found
