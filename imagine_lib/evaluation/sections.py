"""What the reports of all tasks say alike: the main figures, what was left out, and the comparison of two models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.evaluation.intervals import FEWEST_GROUPS, LEVEL, NOTE
from imagine_lib.evaluation.page import Block, Listing, Section, Table, Words
from imagine_lib.evaluation.wording import MEANINGS, NAMES, count, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imagine_lib.evaluation.compare import Comparison
    from imagine_lib.evaluation.intervals import Interval
    from imagine_lib.evaluation.tested import Tested

LISTED = 10
"""Images that could not be read and are named; all of them are in the JSON."""

OPEN_ROWS = 15
"""Classes up to which a table stands open."""


def describe_measures(tested: Tested, intervals: Mapping[str, Interval]) -> list[Block]:
    """Return the table of the headline figures and what their intervals leave out."""
    rows = [(NAMES[key], f"{interval.estimate:.3f}", span(interval)) for key, interval in intervals.items()]
    said = [MEANINGS[key] for key in intervals]
    head = ("measure", "value", "95 % interval")
    blocks: list[Block] = [Table(head, rows, "The main figures", meanings=said)]
    missing = no_interval(intervals.values())
    blocks += missing
    if not missing:
        groups = count(tested.group_count, "group") if tested.grouped else count(tested.group_count, "image")
        blocks.append(
            Words(
                f"The intervals say how far other test images of the same kind would move a figure (from {groups}). "
                f"{NOTE} They also leave out seasons, instruments and places that none of the test images comes from."
            )
        )
    if not tested.grouped:
        blocks.append(
            Words(
                "The images were split one by one, and each counts as a group of its own. Where several come from "
                "one sample, the numbers flatter the model and the intervals are too narrow: give open_dataset a "
                "group.",
                warning=True,
            )
        )
    return blocks


def describe_left_out(tested: Tested, unknown: str = "the model does not know") -> list[Block]:
    """Return which images were left out, and why."""
    found = []
    if tested.excluded:
        found.append(f"{count(tested.excluded, 'image')} left out: the model had learned from them.")
    if tested.other_classes:
        named = ", ".join(f"{label} ({number:,})" for label, number in tested.other_classes.items())
        found.append(f"Left out, because they are of classes that {unknown}: {named}.")
    if tested.unlabelled:
        found.append(f"{count(tested.unlabelled, 'image')} left out: nothing says what is on them.")
    found += [f"Left out: {failure.message}" for failure in tested.failures[:LISTED]]
    if len(tested.failures) > LISTED:
        found.append(f"{len(tested.failures) - LISTED} more images could not be read: see report.json.")
    return [Listing(found) if found else Words("Nothing.")]


def no_interval(intervals: Iterable[Interval]) -> list[Words]:
    """Return why there is none, where there is none."""
    reason = next((interval.reason for interval in intervals if interval.reason), None)
    return [Words(f"There is no interval: {reason}.")] if reason else []


def describe_comparison(comparison: Comparison) -> list[Section]:
    """Return the parts of a comparison."""
    images, classes = len(comparison.truth), len(comparison.labels)
    before, after = comparison.metrics.values()
    gains = {"accuracy": comparison.accuracy, "macro_f1": comparison.macro_f1}
    overall = [
        (NAMES[name], f"{before[name]:.3f}", f"{after[name]:.3f}", f"{gain.estimate:+.3f}", span(gain, sign="+"))
        for name, gain in gains.items()
    ]
    rows = [
        (
            row["label"],
            f"{row['support']:,}",
            f"{row['first']:.2f}",
            f"{row['second']:.2f}",
            f"{row['difference']:+.2f}",
            row["verdict"],
        )
        for row in sorted(comparison.per_class, key=lambda row: -row["difference"])
    ]
    names = ("class", "test images", "F1 of the first", "F1 of the second", "difference", "the second is")
    blocks: list[Block] = [
        Words(
            f"{count(images, 'image')} of the {count(classes, 'class', 'classes')} that both models know and that "
            "neither has learned from. An answer that is none of these classes counts as wrong."
        ),
        Table(("measure", "first", "second", "difference", "95 % interval"), overall, "The second beside the first"),
        *no_interval([comparison.accuracy]),
        *_verdicts(comparison),
        Table(
            names,
            rows,
            f"F1 of {count(len(rows), 'class', 'classes')}",
            folded=len(rows) > OPEN_ROWS,
            worded=("the second is",),
        ),
        Words(
            f"Better or worse is said only of classes that at least {FEWEST_GROUPS} groups hold, and only where the "
            "95 % interval of the difference does not hold 0, which by chance alone happens to one of "
            f"{1 / (1 - LEVEL):.0f} classes that do not differ. {NOTE}"
        ),
    ]
    left_out = describe_left_out(comparison, "not both models know")
    return [Section("Which is better", blocks), Section("What was left out", left_out)]


def _verdicts(comparison: Comparison) -> list[Words]:
    """Return which classes got better and which worse, in a sentence each."""
    found = []
    for verdict in ("better", "worse"):
        labels = [row["label"] for row in comparison.per_class if row["verdict"] == verdict]
        named = f"{count(len(labels), 'class', 'classes')}: {', '.join(labels)}" if labels else "no class"
        found.append(Words(f"The second is {verdict} at {named}."))
    return found
