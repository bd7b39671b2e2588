"""`python -m pipeline`: lists the commands; `python -m pipeline COMMAND ...` runs one.

Nothing is imported but the command that is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence

COMMANDS = {
    "run": "runs the pipeline: ingest, normalize, train, evaluate, push; only what is not cached",
    "runs": "lists the runs, the newest last",
    "report": "writes the HTML page of a run, or of two runs side by side",
    "lineage": "says which config, code and data a published file was made of",
    "look": "draws labeled images as they are, and as training sees them",
    "config": "prints the config that a run would use, and where each value comes from",
    "push": "lists the published versions; rolls back, pins and withdraws",
    "predict": "classifies photos with a published version",
    "review": "serves a page on which people decide about photos that look wrong",
    "demo": "serves a small chat that captions photos with the published model",
    "schedule": "runs the pipeline at set times, or when the images change",
    "gc": "removes attempts and artifacts that no recent run needs",
}
HELP = ("-h", "--help", "help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument names, and returns its exit code."""
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or HELP
    if command in COMMANDS:
        return find_main(command)(rest)
    if command in HELP:
        from pipeline.text import print_any_text

        print_any_text()
        print(_overview())
        return 0
    return _refuse(command)


def find_main(command: str) -> Callable[[Sequence[str]], int]:
    """Imports a command's module, `__main__` where it is a package, and returns its `main`."""
    name = f"pipeline.{command}"
    found = importlib.util.find_spec(name)
    is_package = found is not None and found.submodule_search_locations is not None
    main_of_command: Callable[[Sequence[str]], int] = importlib.import_module(
        f"{name}.__main__" if is_package else name
    ).main
    return main_of_command


def _overview() -> str:
    listed = "\n".join(f"  {command:<10}{summary}" for command, summary in COMMANDS.items())
    return (
        "usage: python -m pipeline COMMAND ...\n\n"
        f"{listed}\n\n"
        "`python -m pipeline COMMAND --help` explains the options of a command."
    )


def _refuse(command: str) -> int:
    from difflib import get_close_matches

    from pipeline.errors import ExitCode

    close = get_close_matches(command, COMMANDS, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The commands are {', '.join(COMMANDS)}."
    print(f"error: {command}: unknown command. {hint} `python -m pipeline` explains them.", file=sys.stderr)
    return ExitCode.USAGE


if __name__ == "__main__":
    sys.exit(main())
