"""Parses Beam's own options with Beam's parser, and refuses those that nothing would read."""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from components.object_storage import configure
from pipeline.errors import UsageError
from pipeline.runners import DIRECT_RUNNER

# A worker imports this before anything of the job. It sets what TensorFlow reads at its first import, which may be that
# of another library: then this worker would compute by other kernels, with other last digits.
_FIRST_IMPORT = "components"


def make_options(runner: str, beam_args: Sequence[str]) -> PipelineOptions:
    """Returns Beam's options. Raises UsageError for options that Beam cannot parse or DirectRunner does not know.

    Those of S3 are not among them: Beam's workers log all of theirs, and an engine may show them. To the workers they
    come with the components.
    """
    said = io.StringIO()  # Beam prints its usage over many lines, then the reason
    options = PipelineOptions([f"--runner={runner}", f"--beam_plugin={_FIRST_IMPORT}", *configure(beam_args)])
    try:
        with contextlib.redirect_stderr(said):
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UsageError(f"Beam cannot read its options: {reason}.") from None
    if runner == DIRECT_RUNNER:
        # Beam drops unknown options with only a warning. Other runners may have options that Beam does not know.
        known = PipelineOptions([]).get_all_options()
        for name in sorted(given.keys() - known.keys()):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean --{close[0]}?" if close else " See --help for those of this command."
            raise UsageError(f"--{name}: neither this command nor Beam's {runner} knows this option.{hint}")
    return options
