"""`python -m pipeline.run`: from labelled images to a published classifier, and only what is not there yet."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from components.object_storage import configure
from pipeline import dag
from pipeline.config import DEFAULT_PATH, load_config
from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.console import print_plan
from pipeline.orchestrator.plan import Plan, Selection, make_plan
from pipeline.orchestrator.root_lock import running
from pipeline.orchestrator.run_record import new_run_id
from pipeline.runners.option_names import check_names
from pipeline.store.opening import DEFAULT_ROOT, open_store

NODES = tuple(component.name for component in dag.COMPONENTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace(run_id=None, output=_output(words))
    try:
        options, beam_args = parse(words)
        configure(beam_args)
        return _run(options, beam_args)
    except UsageError as error:
        return _give_up(options, "usage error", str(error), ExitCode.USAGE)
    except OSError as error:  # not even the record of the run could be written
        return _give_up(options, "failed", explain(error), ExitCode.FAILED)
    except KeyboardInterrupt:
        return _give_up(options, "interrupted", "stopped by Ctrl-C", ExitCode.INTERRUPTED)


def _output(words: Sequence[str]) -> str:
    """What --output asks for, of words that may not be readable as a whole."""
    return "json" if "json" in [word.removeprefix("--output=") for word in words] else "text"


def _give_up(options: argparse.Namespace, status: str, reason: str, code: ExitCode) -> int:
    print(f"error: {reason}", file=sys.stderr)
    if options.output == "json":
        print(json.dumps({"run_id": options.run_id, "status": status, "reasons": [reason]}))
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.rstrip('.')}. --help tells of all options.")


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and those that go to Beam as they are. Raises UsageError."""
    parser = _Parser(
        prog="python -m pipeline.run",
        description="Ingests labelled images, trains, evaluates, and pushes a SavedModel and a Core ML package.",
        epilog="Every other option goes to Beam as it is, with --train_resource_hints=HINT=VALUE for what training "
        "alone needs of its machine. Exit codes: 0 pushed, or nothing new or to do; 1 a component failed; "
        "2 usage or config; 3 completed and not blessed, or not blessed before and nothing to do; 130 stopped.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--runner", default="DirectRunner", help="a Beam runner; DirectRunner, on this machine, unless told otherwise")
    add("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"the pipeline's config ({DEFAULT_PATH})")
    add("--set", action="append", default=[], metavar="A.B=C", help="changes one config value; may be repeated")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="what a run makes; also s3:// and gs://")
    add("--plan", action="store_true", help="prints what would run, what is cached and what changed; runs nothing")
    add("--from", dest="first", choices=NODES, help="starts there, with what was committed last before it")
    add("--to", dest="last", choices=NODES, help="stops after this component")
    add("--force", action="append", default=[], choices=NODES, help="runs this component though nothing changed")
    add("--run_id", help="the run's name; the time and four random digits unless told otherwise")
    add("--output", choices=("text", "json"), default="text", help="json ends stdout with one JSON object")
    options, beam_args = parser.parse_known_args(arguments)
    if beam_args and not beam_args[0].startswith("-"):
        parser.error(f"{beam_args[0]}: not an option. Beam's options start with --.")
    return options, beam_args


def _run(options: argparse.Namespace, beam_args: list[str]) -> int:
    config = load_config(options.config, options.set)
    check_names(options.runner, beam_args)
    store = open_store(options.pipeline_root)
    store.fetch_shared(options.run_id)
    selection = Selection(NODES, options.first, options.last, frozenset(options.force))
    plan = functools.partial(make_plan, functools.partial(dag.build, config=config), store, selection)
    if options.plan:
        _show(plan(), options.output)
        return ExitCode.DONE
    from pipeline.orchestrator.execution import execute

    with running(store.root):  # before the plan: what it finds must still be there when it is used
        planned = plan()
        options.run_id = options.run_id or new_run_id()
        return execute(config, planned, options.run_id, options.runner, beam_args, as_json=options.output == "json")


def _show(plan: Plan, output: str) -> None:
    if output == "text":
        print_plan(plan, sys.stdout)
        return
    nodes: list[dict[str, Any]] = [
        {"component": step.component.name, "state": step.state, "reasons": list(step.reasons)} for step in plan.steps
    ]
    print(json.dumps({"status": "plan", "nothing_to_do": plan.nothing_to_do, "nodes": nodes}))


if __name__ == "__main__":
    sys.exit(main())
