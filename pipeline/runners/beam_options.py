"""Beam's own options, read as Beam reads them."""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import UsageError
from pipeline.runners import DIRECT_RUNNER


def make_options(runner: str, beam_args: Sequence[str]) -> PipelineOptions:
    """Beam's options. Raises UsageError for those that nobody would read."""
    said = io.StringIO()  # usage, over many lines, then the reason
    options = PipelineOptions([f"--runner={runner}", *beam_args])
    try:
        with contextlib.redirect_stderr(said):
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UsageError(f"Beam cannot read its options: {reason}.") from None
    if runner == DIRECT_RUNNER:
        # Beam drops what it does not know with a warning that nobody reads. Other runners may know more than Beam.
        known = PipelineOptions([]).get_all_options()
        for name in sorted(given.keys() - known.keys()):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean --{close[0]}?" if close else " See --help for those of this command."
            raise UsageError(f"--{name}: neither this command nor Beam's {runner} knows this option.{hint}")
    return options
