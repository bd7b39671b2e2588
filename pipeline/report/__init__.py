"""Pages that people read: one a run, one that sets two runs side by side, and one that lists them all.

Each is a single HTML file with everything in it. They are derived from records and artifacts, and can be made anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Evaluation

if TYPE_CHECKING:
    from pipeline.report.run_artifacts import RunArtifacts

Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The time, with its zone."""
    return datetime.datetime.now(datetime.timezone.utc)


def write_report(root: Path, run_id: str, clock: Clock = utc_now) -> Path:
    """Writes `<root>/runs/<run_id>/report.html` and the index beside it, and returns the report's path.

    The run that made the evaluation leaves the same page with it, `<root>/evaluate/<key>/report.html`: beside the
    payload, whose digest knows nothing of pages that may be written anew.

    Raises:
        UsageError: there is no record of such a run.
        OSError: the page cannot be written.
    """
    from components.files import write_whole
    from pipeline.report.index import write_index
    from pipeline.report.page import make_page
    from pipeline.report.rendering import render
    from pipeline.report.run_artifacts import gather

    run = gather(root, run_id)
    path, page = run.folder / REPORT_NAME, make_page(run)
    write_whole(path, render("run.html.j2", page, clock))
    beside = _beside_evaluation(run)
    if beside is not None:
        write_whole(beside, render("run.html.j2", page, clock, runs="../../runs/"))
    write_index(root, clock)
    return path


def written_pages(root: Path, run_id: str) -> list[Path]:
    """What `write_report` has written: for a store to share."""
    from pipeline.report.run_artifacts import gather

    run = gather(root, run_id)
    pages = [run.folder / REPORT_NAME, _beside_evaluation(run), root / "runs" / "index.html"]
    return [page for page in pages if page is not None and page.exists()]


def _beside_evaluation(run: RunArtifacts) -> Path | None:
    """Where the page lies with the evaluation; None where another run made that."""
    manifest = run.manifest_of(Evaluation)
    if manifest is None or manifest.build.run_id != run.record.run_id:
        return None
    return (run.root / manifest.folder).parent / REPORT_NAME


def write_comparison(root: Path, first: str, second: str, clock: Clock = utc_now) -> Path:
    """Writes `<root>/runs/<second>/against-<first>.html` and returns its path.

    Raises:
        UsageError: there is no record of one of the runs.
        OSError: the page cannot be written.
    """
    from components.files import write_whole
    from pipeline.report.compare import make_comparison
    from pipeline.report.rendering import render
    from pipeline.report.run_artifacts import gather

    before, after = gather(root, first), gather(root, second)
    path = after.folder / f"against-{before.record.run_id}.html"
    write_whole(path, render("compare.html.j2", make_comparison(before, after), clock))
    return path


REPORT_NAME = "report.html"
