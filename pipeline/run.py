"""`python -m pipeline.run`: from labelled images to a published classifier, and only what is not there yet."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from components.remote import configure
from pipeline import dag
from pipeline.at_work import running
from pipeline.config import DEFAULT_PATH, load_config
from pipeline.console import print_plan
from pipeline.errors import ExitCode, UsageError
from pipeline.plan import Selection, make_plan
from pipeline.record import DEFAULT_ROOT, check_run_id, new_run_id
from pipeline.remote_store import open_store
from pipeline.work import explain

NODES = tuple(component.name for component in dag.COMPONENTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    options, beam_args = parse(arguments)
    try:
        configure(beam_args)
        return _run(options, beam_args)
    except UsageError as error:
        return _give_up(options, "usage error", str(error), ExitCode.USAGE)
    except OSError as error:  # not even the record of the run could be written
        return _give_up(options, "failed", explain(error), ExitCode.FAILED)


def _give_up(options: argparse.Namespace, status: str, reason: str, code: ExitCode) -> int:
    print(f"error: {reason}", file=sys.stderr)
    if options.output == "json":
        print(json.dumps({"run_id": options.run_id, "status": status, "reasons": [reason]}))
    return code


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and those that go to Beam as they are."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run",
        description="Ingests labelled images, trains, evaluates, and pushes a SavedModel and a Core ML package.",
        epilog="Every other option goes to Beam as it is, with --train_resource_hints=HINT=VALUE for what training "
        "alone needs of its machine. Exit codes: 0 pushed or nothing to do, 1 a component failed, "
        "2 usage or config, 3 completed and not blessed.",
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
    store = open_store(options.pipeline_root)
    store.bring_shared(options.run_id)
    selection = Selection(NODES, options.first, options.last, frozenset(options.force))
    plan = functools.partial(make_plan, functools.partial(dag.build, config=config), store, selection)
    if options.plan:
        print_plan(plan(), sys.stdout)
        return ExitCode.DONE
    run_id = options.run_id or new_run_id()
    check_run_id(store.root, run_id)
    from pipeline.execution import execute

    with running(store.root):  # before the plan: what it finds must still be there when it is used
        return execute(config, plan(), run_id, options.runner, beam_args, as_json=options.output == "json")


if __name__ == "__main__":
    sys.exit(main())
