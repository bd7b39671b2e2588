"""Runs the component graph on a Beam runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineRunner

from pipeline.orchestrator.lookup import Retry
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.run_record import STOP, RunFolder
from pipeline.orchestrator.scan_attempts import try_scans_again
from pipeline.orchestrator.time_limit import run_limited
from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.beam_options import make_options
from pipeline.runners.cluster_check import check_engine
from pipeline.runners.component_transform import BeamEdge


def run_graph(
    graph: Callable[[BeamEdge], None], plan: Plan, run_id: str, runner: str, beam_args: Sequence[str]
) -> None:
    """Runs the graph to its end. On the local runner, a scan that failed is tried as often as its config allows.

    Raises UsageError if it cannot begin, ConnectionError if the job server stops answering, and whatever the runner
    raises if a component fails.
    """
    options = make_options(runner, beam_args)
    check_engine(runner, options)

    folder = RunFolder(plan.store.root, run_id)
    elsewhere = runner != DIRECT_RUNNER
    apart = elsewhere and bool(plan.store.url)

    def run(retries: Mapping[str, Retry]) -> None:
        with make_pipeline(runner, options) as pipeline:
            graph(BeamEdge(pipeline, plan, run_id, tuple(beam_args), retries=retries, apart=apart, elsewhere=elsewhere))

    if runner == DIRECT_RUNNER:
        forks = _forks(options)

        def run_here(retries: Mapping[str, Retry]) -> None:
            run_limited(lambda: run(retries), folder, plan.time_limits, has_worker_processes=forks)

        with plan.store.uploading(folder.path):  # should this machine be lost, others see how far it came
            return try_scans_again(run_here, plan, folder)
    try:
        with plan.store.following(folder.path, STOP):
            return run({})
    except grpc.RpcError as error:
        raise ConnectionError(
            f"The job server of {runner} stopped answering. The job may go on without it; the same command takes over."
        ) from error


def _forks(options: PipelineOptions) -> bool:
    """Returns whether the local runner works in processes of its own."""
    return bool(options.view_as(DirectOptions).direct_running_mode == "multi_processing")


def make_pipeline(runner: str, options: PipelineOptions) -> beam.Pipeline:
    """Returns an empty Beam pipeline, which runs when its `with` block ends."""
    return beam.Pipeline(runner=_runner(runner, options), options=options)


def _runner(name: str, options: PipelineOptions) -> PipelineRunner | str:
    """Returns the runner to use; for DirectRunner this is Beam's in-process portable runner.

    Beam itself would try to download another runner first and fall back to this one, so that the runner would depend
    on the network.
    """
    if name != DIRECT_RUNNER:
        return name
    # Worker processes (--direct_running_mode=multi_processing) get their options from here.
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = fn_runner.ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded))
    return fn_runner.FnApiRunner(provision_info=provision)
