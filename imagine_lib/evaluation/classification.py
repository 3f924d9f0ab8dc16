"""What a report says of the test of a classifier, in the order in which it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import DataError
from imagine_lib.evaluation.calibration import EVEN_MIX
from imagine_lib.evaluation.figures import draw_confusion, draw_reliability
from imagine_lib.evaluation.page import Block, Gallery, Listing, Section, Shown, Table, Thumbnail, Words
from imagine_lib.evaluation.sections import OPEN_ROWS, describe_left_out, describe_measures
from imagine_lib.evaluation.wording import count, percent, share
from imagine_lib.pictures import thumbnail

if TYPE_CHECKING:
    from imagine_lib.evaluation.evaluate import Evaluation
    from imagine_lib.evaluation.mistakes import Mistake

WEAKEST = 5
"""Classes that are named where the table does not stand open."""


def describe_classification(evaluation: Evaluation) -> list[Section]:
    """Return the parts of a classifier's report."""
    found = [
        Section("How often it is right", describe_measures(evaluation, evaluation.intervals)),
        Section("Class by class", _by_class(evaluation)),
        Section("Which classes it confuses", _confusion(evaluation)),
        Section("Its worst mistakes", _worst(evaluation)),
        Section("Whether its probabilities mean what they say", _calibration(evaluation)),
        Section("How sure is sure enough", _thresholds(evaluation)),
        Section("What it has never learned", [_unknowns(evaluation)]),
    ]
    if evaluation.ranks is not None:
        found.append(Section("How often it is right at each rank", _ranks(evaluation)))
    return [*found, Section("What was left out", describe_left_out(evaluation))]


def _by_class(evaluation: Evaluation) -> list[Block]:
    rows = [
        (row["label"], share(row["precision"]), share(row["recall"]), share(row["f1"]), f"{row['support']:,}")
        for row in evaluation.per_class
    ]
    caption = f"Precision, recall and F1 of {count(len(rows), 'class', 'classes')}; - where one is undefined"
    names = ("class", "precision", "recall", "F1", "test images")
    table = Table(names, rows, caption, folded=len(rows) > OPEN_ROWS)
    if not table.folded:
        return [table]
    present = sorted((row for row in evaluation.per_class if row["support"]), key=lambda row: row["f1"])
    weakest = [
        f"{row['label']}: F1 {share(row['f1'])}, {count(row['support'], 'test image')}" for row in present[:WEAKEST]
    ]
    return [Words("The weakest classes:"), Listing(weakest), table]


def _confusion(evaluation: Evaluation) -> list[Block]:
    pairs = [
        f"{pair['truth']} was taken for {pair['answer']} {count(pair['count'], 'time')} "
        f"({percent(pair['share'])} of the {pair['truth']} images)."
        for pair in evaluation.most_confused
    ]
    if not pairs:
        return [Words("It confused none: every answer was right.")]
    picture = draw_confusion(evaluation.labels, evaluation.confusion, "images")
    caption = "Rows: what it is. Columns: what the model says. Darker: a larger share of the true class."
    return [Words("Its most frequent mistakes:"), Listing(pairs), Shown(picture, caption)]


def _worst(evaluation: Evaluation) -> list[Block]:
    if not evaluation.worst:
        return [Words("There are none.")]
    intro = Words(
        "Wrong answers whose true class the model found least probable. Look at them: some may be labelled wrongly."
    )
    return [intro, Gallery([_thumbnail(mistake) for mistake in evaluation.worst])]


def _thumbnail(mistake: Mistake) -> Thumbnail:
    lines = (f"is {mistake.truth}", f"the model says {mistake.answer} ({percent(mistake.probability)})")
    try:
        source = thumbnail(mistake.content) if mistake.content is not None else ""
    except DataError:
        source = ""
    return Thumbnail(source, mistake.image, lines)


def _calibration(evaluation: Evaluation) -> list[Block]:
    text = str(evaluation.calibration_error)
    caption = (
        "Points below the line are answers that the model was too sure of. The bars are 95 % intervals, as if the "
        "images were independent."
    )
    rows = [
        (f"{row.confidence:.3f}", f"{row.accuracy:.3f}", f"{row.low:.3f} to {row.high:.3f}", f"{row.images:,}")
        for row in evaluation.reliability
    ]
    names = ("mean probability", "right answers", "95 % interval", "images")
    return [
        Words(f"{text[0].upper()}{text[1:]}."),
        *([Words(EVEN_MIX)] if evaluation.balanced else []),
        Shown(draw_reliability(evaluation.reliability), caption),
        Table(names, rows, "The numbers of the figure", folded=True),
    ]


def _thresholds(evaluation: Evaluation) -> list[Block]:
    tested, note = evaluation.thresholds, evaluation.rule.note
    reached = "A prediction would accept none of these test images."
    if tested.precision is not None:
        reached = (
            f"A prediction accepts {percent(tested.coverage)} of these test images (those that reach the threshold "
            f"of their class and are not called unknown), and {percent(tested.precision)} of those are right."
        )
    rows = [
        (
            label,
            share(row.threshold),
            "yes" if row.promised else "no",
            f"{row.answers:,}",
            share(row.coverage),
            share(row.precision),
        )
        for label, row in zip(evaluation.labels, tested.classes, strict=True)
    ]
    names = ("class", "threshold", "precision promised", "answers", "share that is accepted", "right among these")
    table = Table(
        names, rows, "What each threshold does on the test images", folded=True, worded=("precision promised",)
    )
    return [*_promise(evaluation), *([Words(note)] if note else []), Words(reached), table]


def _promise(evaluation: Evaluation) -> list[Words]:
    calibration = evaluation.calibration
    if calibration is None:
        return []
    text = (
        f"A precision of {percent(calibration.precision)} is promised for {evaluation.rule.promised.sum()} of "
        f"{count(len(evaluation.labels), 'class', 'classes')}, from {calibration.images:,} images that were kept "
        "to calibrate with. It is valid for the calibration's class mix: where a class is rarer, answers that name "
        "it are right less often."
    )
    return [Words(text)]


def _unknowns(evaluation: Evaluation) -> Words:
    tested = evaluation.unknowns
    if tested is None:
        return Words(
            "Not measured: the test images hold no class that the model and its ancestors have never learned, and "
            "known images cannot tell how many unknown ones are found."
        )
    text = (
        f"AUROC {tested.auroc:.3f} on {count(tested.images, 'image')} of {', '.join(evaluation.strange)}: how often "
        "an image of a class that was never learned looks stranger to the model than one of a class that it knows "
        "(0.5 is guessing)."
    )
    if tested.caught is not None and tested.lost is not None:
        text += (
            f" Its rule calls {percent(tested.caught)} of them unknown, and {percent(tested.lost)} of the images of "
            "the classes that it knows."
        )
    return Words(text)


def _ranks(evaluation: Evaluation) -> list[Block]:
    found = evaluation.ranks
    if found is None:
        return []
    rows = [(row.rank, share(row.accuracy), f"{row.images:,}", f"{row.left_out:,}") for row in found.ranks]
    table = Table(("rank", "accuracy", "images", "without a taxon there"), rows, f"By the taxa of {found.source}")
    return [table, Words(found.remark)] if found.remark else [table]
