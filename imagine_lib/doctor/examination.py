"""Every family of checks, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.duplicates import find_duplicates
from imagine_lib.data.looks import take_looks
from imagine_lib.doctor.boxes import check_boxes
from imagine_lib.doctor.classes import check_classes
from imagine_lib.doctor.copies import check_copies
from imagine_lib.doctor.diagnosis import Diagnosis
from imagine_lib.doctor.files import check_files
from imagine_lib.doctor.finding import SEVERITIES
from imagine_lib.doctor.groups import check_groups
from imagine_lib.doctor.masks import check_masks
from imagine_lib.doctor.pixels import check_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagine_lib.data.imageset import ImageSet

    Progress = Callable[[int, int], None]

FAMILIES = (
    check_files,
    check_copies,
    check_groups,
    check_classes,
    check_boxes,
    check_masks,
    check_pixels,
)


def diagnose(data: ImageSet, progress: Progress | None = None) -> Diagnosis:
    """Look for what would spoil a training.

    Parameters
    ----------
    data
        The images; each is decoded once, and what is learned of it is kept with the set.
    progress
        Called, for each stage that reads images, with how many are done and how many there are; by default lines on
        standard error once a stage takes more than two seconds.

    Returns
    -------
    Diagnosis
        The gravest findings first. Nothing is raised for what is found.
    """
    if "looks" not in vars(data):
        vars(data)["looks"] = take_looks(data.items, progress)
    if "duplicates" not in vars(data):
        vars(data)["duplicates"] = find_duplicates(data.items, data.looks, progress)
    findings = [finding for check in FAMILIES for finding in check(data)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(data, tuple(findings))
