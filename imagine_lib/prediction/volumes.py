"""A table of how much water each sample stands for, as people keep it beside their images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.data.content import FileContent
from imagine_lib.data.imageset import Sample
from imagine_lib.data.readers.text import header, read_rows
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

SAMPLE, VOLUME, SUBSAMPLING = "sample", "volume_l", "subsampling"

SEPARATORS = (",", ";", "\t")


def read_volumes(
    table: pd.DataFrame | str | os.PathLike[str], known: Mapping[str, Sample] | None = None
) -> dict[str, Sample]:
    """Read the water of samples.

    Parameters
    ----------
    table
        A CSV file or a table with the columns ``sample``, ``volume_l`` (litres that were filtered or imaged) and, if
        not the whole sample was imaged, ``subsampling`` (how many times more was in the sample).
    known
        What the image set says: its subsampling holds where the table has none.

    Returns
    -------
    dict
        By the name of the sample.

    Raises
    ------
    DataError
        It cannot be read, a column is missing, a sample is there twice, or a number is not above 0.
    """
    names, rows, place = _rows(table)
    missing = [name for name in (SAMPLE, VOLUME) if name not in names]
    if missing:
        raise DataError(
            f"{place} has no column {missing[0]!r}: it needs {SAMPLE!r} and {VOLUME!r} (litres), and may have "
            f"{SUBSAMPLING!r}."
        )
    found: dict[str, Sample] = {}
    for cells in rows:
        row = dict(zip(names, cells, strict=False))
        name = str(row[SAMPLE]).strip()
        if name in found:
            raise DataError(f"{place} has sample {name!r} twice: keep one row a sample.")
        litres = _positive(row.get(VOLUME), name, VOLUME, place)
        usual = known[name].subsampling if known and name in known else 1.0
        found[name] = Sample(litres, _positive(row.get(SUBSAMPLING), name, SUBSAMPLING, place, empty=usual))
    return found


def _rows(table: pd.DataFrame | str | os.PathLike[str]) -> tuple[list[str], Iterable[Sequence[Any]], str]:
    """Return the names of the columns, the rows, and what messages call the table."""
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return [str(name) for name in table.columns], table.itertuples(index=False), "The table of volumes"
    path = Path(table).expanduser()
    content = FileContent(path).read()
    separator = max(SEPARATORS, key=lambda sign: len(header(content, sign)))
    rows = read_rows(content, separator, str(path))
    return [name.lower() for name in next(rows, [])], rows, str(path)


def _positive(value: Any, sample: str, column: str, place: str, empty: float | None = None) -> float:
    text = "" if value is None else str(value).strip()
    if empty is not None and text.lower() in ("", "nan", "none", "<na>"):
        return empty
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise DataError(f"{place} has {text!r} as {column} of sample {sample!r}: write a number above 0.")
    return number
