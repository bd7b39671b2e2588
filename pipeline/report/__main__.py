"""`python -m pipeline.report RUN`: writes the HTML report of a run, or a comparison of two runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.console import libraries_write_to
from pipeline.orchestrator.run_record import REPORT_NAME
from pipeline.report import write_comparison, write_report, written_pages
from pipeline.store.opening import DEFAULT_ROOT, open_store
from pipeline.text import print_any_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes pages and prints their paths. Returns the exit code."""
    print_any_text()
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.run and options.compare:
        parser.error("name one run, or two after --compare, not both")
    try:
        with libraries_write_to(Path(os.devnull), sys.stdout) as terminal:
            for path in _write(options):
                print(path, file=terminal)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.report",
        description="Writes the report of a run as one HTML file, which opens from disk and can be sent to others; "
        "and a second one with pictures of what looks wrong, if the run has looked for that. Also updates index.html, "
        "which lists all runs.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's name or the beginning of it; default: `latest`")
    parser.add_argument("--compare", nargs=2, metavar="RUN", help="compares two runs instead")
    parser.add_argument(
        "--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://"
    )
    return parser


def _write(options: argparse.Namespace) -> Iterator[Path]:
    """Yields the pages that a person would open. Then uploads all of them, where the root is in object storage."""
    from pipeline.orchestrator.run_artifacts import find_run, gather

    store = open_store(options.pipeline_root)
    store.fetch_shared("")
    if options.compare:
        first, second = (find_run(store.root, name, store.url) for name in options.compare)
        for run_id in (first, second):
            gather(store.root, run_id, store)  # brings what is only in object storage
        to_open = pages = [write_comparison(store.root, first, second)]
    else:
        run_id = find_run(store.root, options.run or "latest", store.url)
        run = gather(store.root, run_id, store)
        if not (run.elsewhere and (run.folder / REPORT_NAME).exists()):  # the page of the run itself has more pictures
            write_report(store.root, run_id)
        pages = written_pages(store.root, run_id)
        to_open = [page for page in pages if page.parent == run.folder]
    yield from to_open
    for page in pages:
        store.upload(page)


if __name__ == "__main__":
    sys.exit(main())
