"""Finds, in the rows of a bulk prediction, the photos of which the model was least sure: those to label first."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path

from components.component import ComponentError
from components.home import expand_home
from components.ingest.sources import is_prepared
from components.object_storage import is_remote
from pipeline.errors import UsageError
from pipeline.predict.rows_folder import RowsFolder


def rows_at(place: str, option: str) -> RowsFolder | None:
    """Returns the folder of rows at a path or a URL; None if it is no such folder.

    Raises UsageError if it cannot be read, or what it says of its rows is damaged. `option` is that which named it.
    """
    try:
        rows = RowsFolder(place.rstrip("/") if is_remote(place) else str(expand_home(place, option)))
        return rows if rows.document() is not None else None
    except NotADirectoryError:
        return None
    except (ComponentError, OSError) as error:
        raise UsageError(f"{option}={place} cannot be read: {error}") from error


def folder_of(rows: RowsFolder) -> Path:
    """Returns the folder of the photos that were predicted. Raises UsageError if they are no files of this machine."""
    place = str((rows.document() or {}).get("input"))
    if is_remote(place) or not Path(place).is_dir() or is_prepared(Path(place)):
        raise UsageError(
            f"{rows.place} has predictions for what is in {place}, which is no folder of photos on this machine. Copy "
            "those that are to be labeled into a folder, and name that."
        )
    return Path(place)


def least_sure(rows: RowsFolder, most: int, wanted: Callable[[str], bool]) -> list[str]:
    """Returns at most `most` files for which `wanted` is true, as the rows name them, the least sure one first.

    Photos without a prediction are none of them. Of all rows, only so many are in memory, and those of one shard.
    """
    likely = (
        (probability, file)
        for table in rows.tables(["file", "probability"])
        for file, probability in zip(*(column.to_pylist() for column in table.columns), strict=True)
        if probability is not None and wanted(file)
    )
    return [file for _, file in heapq.nsmallest(most, likely)]
