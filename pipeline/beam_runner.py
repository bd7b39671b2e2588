"""Hands the graph to a Beam runner. The only place that knows of runners."""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Callable, Sequence

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineRunner

from pipeline.beam_options import DIRECT_RUNNER
from pipeline.engine import check_engine
from pipeline.errors import UsageError
from pipeline.node import BeamEdge
from pipeline.plan import Plan


def run_graph(
    graph: Callable[[BeamEdge], None], plan: Plan, run_id: str, runner: str, beam_args: Sequence[str]
) -> None:
    """Runs the graph to its end. Raises UsageError if it cannot begin, or whatever the runner raises."""
    options = make_options(runner, beam_args)
    check_engine(runner, options)
    try:
        with beam.Pipeline(runner=_runner(runner, options), options=options) as pipeline:
            graph(BeamEdge(pipeline, plan, run_id, tuple(beam_args)))
    except grpc.RpcError as error:
        if runner == DIRECT_RUNNER:
            raise
        raise ConnectionError(
            f"The job server of {runner} stopped answering. The job may go on without it; the same command takes over."
        ) from error


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


def _runner(name: str, options: PipelineOptions) -> PipelineRunner | str:
    """DirectRunner is Beam's in-process portable runner, whatever the network would allow.

    Beam's own switch would try to download another runner first and fall back to this one, so that the runner one gets
    would depend on the network.
    """
    if name != DIRECT_RUNNER:
        return name
    # Worker processes (--direct_running_mode=multi_processing) get their options from here.
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = fn_runner.ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded))
    return fn_runner.FnApiRunner(provision_info=provision)
