"""`python -m pipeline.run`: turns labeled images into a published classifier, and runs only what is not cached."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from components.object_storage import configure
from pipeline import dag
from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config
from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.console import print_plan
from pipeline.orchestrator.plan import Plan, Selection, make_plan
from pipeline.orchestrator.root_lock import running
from pipeline.orchestrator.run_record import new_run_id
from pipeline.runners.option_names import check_names
from pipeline.store.local_store import Store
from pipeline.store.opening import DEFAULT_ROOT, open_store
from pipeline.text import print_any_text

if TYPE_CHECKING:
    from pipeline.orchestrator.execution import Execution

NODES = tuple(component.name for component in dag.COMPONENTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    print_any_text()
    words = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace(run_id=None, output=_output(words))
    try:
        options, beam_args = parse(words)
        return _run(options, beam_args, ("pipeline.run", *words))
    except UsageError as error:
        return _give_up(options, "usage error", str(error), ExitCode.USAGE)
    except OSError as error:  # even the run's record could not be written
        return _give_up(options, "failed", explain(error), ExitCode.FAILED)
    except KeyboardInterrupt:
        return _give_up(options, "interrupted", "stopped by Ctrl-C", ExitCode.INTERRUPTED)


def _output(words: Sequence[str]) -> str:
    """Returns the value of --output, also if the rest of the command line cannot be parsed."""
    return "json" if "json" in [word.removeprefix("--output=") for word in words] else "text"


def _give_up(options: argparse.Namespace, status: str, reason: str, code: ExitCode) -> int:
    print(f"error: {reason}", file=sys.stderr)
    if options.output == "json":
        print(json.dumps({"run_id": options.run_id, "status": status, "reasons": [reason]}))
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.rstrip('.')}. --help tells of all options.")


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = _Parser(
        prog="python -m pipeline.run",
        description="Ingests labeled images, trains, evaluates, and pushes a SavedModel and a Core ML package.",
        epilog="Every other option is passed to Beam unchanged. --train_resource_hints=HINT=VALUE says what training "
        "alone needs of its machine. Exit codes: 0 the run completed, or there was nothing to do; 1 a component "
        "failed; 2 wrong usage or config; 3 the model is not blessed, now or in the run whose results were reused; "
        "130 stopped.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--runner", default="DirectRunner", help="a Beam runner; DirectRunner runs on this machine")
    add("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"the pipeline's config ({DEFAULT_PATH})")
    add("--set", action="append", default=[], metavar="A.B=C", help="changes one config value; may be repeated")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="folder, s3:// or gs:// URL for all results")
    add("--plan", action="store_true", help="prints what would run, what is cached and what changed; runs nothing")
    add("--from", dest="first", choices=NODES, help="starts here, with the newest artifacts of the components before")
    add("--to", dest="last", choices=NODES, help="stops after this component")
    add("--force", action="append", default=[], choices=NODES, help="runs this component even if nothing changed")
    add("--run_id", help="the run's name (default: the time and four random hexadecimal digits)")
    add("--output", choices=("text", "json"), default="text", help="json prints one JSON object at the end of stdout")
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Returns the command's own options and the arguments that are passed to Beam unchanged. Raises UsageError."""
    parser = make_parser()
    options, beam_args = parser.parse_known_args(arguments)
    if beam_args and not beam_args[0].startswith("-"):
        parser.error(f"{beam_args[0]}: not an option. Beam's options start with --.")
    return options, beam_args


def _run(options: argparse.Namespace, beam_args: list[str], command: tuple[str, ...]) -> int:
    config = load_config(options.config, options.set)
    store = prepare_store(options.pipeline_root, options.runner, beam_args, options.run_id)
    selection = Selection(NODES, options.first, options.last, frozenset(options.force))
    if options.plan:
        _show(plan_config(config, store, selection), options.output)
        return ExitCode.DONE
    from pipeline.orchestrator.execution import begin, execute

    with running(store.root):  # before the plan, so that nothing it finds is removed before its use
        plan = plan_config(config, store, selection)
        options.run_id = options.run_id or new_run_id()
        as_json = options.output == "json"
        execution = begin(config, plan, options.run_id, command, sys.stderr if as_json else sys.stdout)
        run_graph = graph_runner(execution, options.runner, beam_args)
        code = execute(execution, run_graph, page_writer(execution), as_json=as_json)
        if code in (ExitCode.DONE, ExitCode.NOT_BLESSED):
            keep_together(execution)
        return code


def graph_runner(execution: Execution, runner: str, beam_args: Sequence[str]) -> Callable[[], None]:
    """Returns the call that runs the graph of a run on a Beam runner. Beam is imported only by the call."""

    def run() -> None:
        from pipeline.runners.runner import run_graph

        graph = functools.partial(dag.build, config=execution.config)
        run_graph(graph, execution.plan, execution.run.run_id, runner, beam_args)

    return run


def page_writer(execution: Execution) -> Callable[[], Path]:
    """Returns the call that writes the page of a run, and the index of all runs, and returns the page's path."""

    def write() -> Path:
        from pipeline.orchestrator.run_artifacts import gather
        from pipeline.report import write_report, written_pages

        store, run = execution.plan.store, execution.run
        store.fetch_shared("")  # the index lists all runs
        if store.url:
            gather(run.root, run.run_id, store)  # brings what other machines have made
        page = write_report(run.root, run.run_id)
        for each in written_pages(run.root, run.run_id):
            store.upload(each)
        return page

    return write


def keep_together(execution: Execution) -> None:
    """Notes the near copies that a run has found, if the config asks for it, and prints what was noted or why not."""
    inspect, plan = execution.config.inspect, execution.plan
    if inspect is None or inspect.near_copies_across_splits != "keep_together":
        return
    if plan.nothing_to_do or plan.step("inspect").state == "skipped":
        return
    from pipeline.review.keep_together import keep_together

    try:
        said = keep_together(plan.store.url or plan.store.root, execution.run.run_id, None, None).words()
    except UsageError as error:
        said = f"near copies are not noted: {error}"
    print(said, file=execution.out, flush=True)


def prepare_store(place: str, runner: str, beam_args: Sequence[str], run_id: str | None = None) -> Store:
    """Returns the store at a pipeline root, ready for a run with these Beam arguments.

    Raises UsageError for a Beam argument that nobody would read.
    """
    configure(beam_args)
    check_names(runner, beam_args)
    store = open_store(place)
    store.fetch_shared(run_id)
    return store


def plan_config(config: PipelineConfig, store: Store, selection: Selection) -> Plan:
    """Returns what a run of this config would do in a store. Raises UsageError if the selection cannot be run."""
    return make_plan(functools.partial(dag.build, config=config), store, selection)


def _show(plan: Plan, output: str) -> None:
    if output == "text":
        print_plan(plan, sys.stdout)
        return
    nodes: list[dict[str, Any]] = [
        {"component": step.component.name, "state": step.state, "reasons": list(step.reasons), "note": step.note}
        for step in plan.steps
    ]
    print(json.dumps({"status": "plan", "nothing_to_do": plan.nothing_to_do, "nodes": nodes}))


if __name__ == "__main__":
    sys.exit(main())
