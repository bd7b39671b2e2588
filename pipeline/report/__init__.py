"""The HTML pages about runs: a report per run, what looks wrong with its images, a comparison, and an index of all.

Each page is a single file with everything in it. Pages are derived from records and artifacts and can be made again.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Evaluation
from pipeline.orchestrator.run_record import DATA_PAGE_NAME, REPORT_NAME

if TYPE_CHECKING:
    from pipeline.orchestrator.run_artifacts import RunArtifacts

Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """Returns the current time in UTC, with its time zone."""
    return datetime.datetime.now(datetime.timezone.utc)


def write_report(root: Path, run_id: str, clock: Clock = utc_now) -> Path:
    """Writes `<root>/runs/<run_id>/report.html` and `<root>/runs/index.html`, and returns the report's path.

    If this run made the evaluation, the same page is also written to `<root>/evaluate/<key>/report.html`. There it
    lies beside the payload, so that writing it again does not change the artifact's digest. If the run has Findings,
    `<root>/runs/<run_id>/data.html` shows them by pictures.

    Raises:
        UsageError: there is no record of such a run.
        OSError: the page cannot be written.
    """
    from components.files import write_whole
    from pipeline.orchestrator.run_artifacts import gather
    from pipeline.report.index import write_index
    from pipeline.report.page import make_page
    from pipeline.report.rendering import render

    run = gather(root, run_id)
    path, page = run.folder / REPORT_NAME, make_page(run)
    write_whole(path, render("run.html.j2", page, clock))
    beside = _beside_evaluation(run)
    if beside is not None:
        write_whole(beside, render("run.html.j2", page, clock, runs="../../runs/"))
    write_index(root, clock)
    _write_data_page(run, clock)
    return path


def written_pages(root: Path, run_id: str) -> list[Path]:
    """Returns the paths of the pages that `write_report` has written, for a store to upload."""
    from pipeline.orchestrator.run_artifacts import gather

    run = gather(root, run_id)
    own = (run.folder / name for name in (REPORT_NAME, DATA_PAGE_NAME))
    pages = (*own, _beside_evaluation(run), root / "runs" / "index.html")
    return [page for page in pages if page is not None and page.exists()]


def _write_data_page(run: RunArtifacts, clock: Clock) -> None:
    """Writes the page about the findings. One of an earlier run of this name is removed if there are none."""
    from components.files import write_whole
    from pipeline.report.findings import make_findings_page
    from pipeline.report.rendering import render

    path, page = run.folder / DATA_PAGE_NAME, make_findings_page(run)
    if page is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, render("findings.html.j2", page, clock))


def _beside_evaluation(run: RunArtifacts) -> Path | None:
    """Returns the path of the page beside the evaluation, or None if another run made the evaluation."""
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
    from pipeline.orchestrator.run_artifacts import gather
    from pipeline.report.compare import make_comparison
    from pipeline.report.rendering import render

    before, after = gather(root, first), gather(root, second)
    path = after.folder / f"against-{before.record.run_id}.html"
    write_whole(path, render("compare.html.j2", make_comparison(before, after), clock))
    return path
