"""Writes docs/reference/commands.md from the parsers of the commands.

Usage and options are put into words here: argparse words them differently from one Python version to the next, and
breaks lines at the width of the terminal.
"""

from __future__ import annotations

import argparse
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import NOTE, code, table
from pipeline.errors import ExitCode

MODULES = (
    "pipeline.run",
    "pipeline.config",
    "pipeline.runs",
    "pipeline.lineage",
    "pipeline.look",
    "pipeline.push",
    "pipeline.gc",
    "pipeline.report",
    "pipeline.predict",
    "pipeline.demo",
    "pipeline.review",
    "pipeline.schedule",
)
MEANINGS = {
    ExitCode.DONE: "The command did what was asked. A run pushed a version, or completed as far as `--to` says, or had "
    "nothing new to publish, or nothing to do.",
    ExitCode.FAILED: "A component failed, or a file could not be read or written.",
    ExitCode.USAGE: "The command line or the config cannot be used. Nothing was run.",
    ExitCode.NOT_BLESSED: "A run completed, but the model did not pass the gate. A later run that has nothing to do "
    "gives the same code.",
    ExitCode.INTERRUPTED: "The run was stopped by Ctrl-C or a signal. The same command goes on from what is done.",
}
USAGE_WIDTH = 100  # characters
PAGE_WIDTH = 120
HEAD = f"""# Commands

{NOTE}

Every command, its options and their defaults. Each command also takes `--help`, which answers at once.
`python -m pipeline` lists the commands, and `python -m pipeline run` is the same as `python -m pipeline.run`.

The commands work from any folder whose Python has this package, for example the repository's root after
`source .venv/bin/activate`.

## Exit codes
"""


def write_commands() -> str:
    """Returns the page as Markdown."""
    exit_codes = table(("code", "meaning"), [(str(int(each)), MEANINGS[each]) for each in ExitCode])
    sections = (line for name in MODULES for line in _section(_parser(name)))
    return "\n".join([HEAD, exit_codes, "", *sections]).rstrip() + "\n"


def _parser(name: str) -> argparse.ArgumentParser:
    module = importlib.import_module(name)
    main = importlib.import_module(f"{name}.__main__") if hasattr(module, "__path__") else module
    return main.make_parser()


def _section(parser: argparse.ArgumentParser) -> Iterator[str]:
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    yield f"## {parser.prog.removeprefix('python -m ')}\n"
    yield f"{_paragraph(parser.description)}\n"
    yield f"```text\n{_usage(parser, actions)}\n```\n"
    rows = [(code(_invocation(action)), _default(action), _help(action)) for action in actions]
    yield table(("option", "default", "what it does"), rows) + "\n"
    if parser.epilog:
        yield f"{_paragraph(parser.epilog)}\n"


def _usage(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> str:
    words = [_optional(action) for action in actions if action.option_strings]
    words += [_argument(action) for action in actions if not action.option_strings]
    indent = " " * (len(parser.prog) + 1)
    lines = textwrap.wrap(
        " ".join(word.replace(" ", "\0") for word in words),
        USAGE_WIDTH - len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{parser.prog} " + f"\n{indent}".join(lines).replace("\0", " ")


def _optional(action: argparse.Action) -> str:
    return f"[{_invocation(action)}]"


def _invocation(action: argparse.Action) -> str:
    """`--compare RUN RUN`, `--output {text,json}`, `PHOTO...`."""
    return " ".join(word for word in (", ".join(action.option_strings), _argument(action)) if word)


def _argument(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else "")
    name = str(name or (action.dest.upper() if action.option_strings else action.dest))
    if isinstance(action.nargs, int):
        return " ".join([name] * action.nargs)
    return {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}.get(str(action.nargs), name)


def _default(action: argparse.Action) -> str:
    if action.default is None or action.default is False or action.default in ([], "", argparse.SUPPRESS):
        return ""
    return code(_shown_default(action))


def _shown_default(action: argparse.Action) -> str:
    if isinstance(action.default, Path):
        return action.default.as_posix()
    return f"{action.default:g}" if isinstance(action.default, float) else str(action.default)


def _help(action: argparse.Action) -> str:
    """Returns the help without a default, which has a column of its own."""
    text = _words(action.help) % {"default": _shown_default(action)}
    return re.sub(rf" \((default: )?{re.escape(_shown_default(action))}\)$", "", text)


def _paragraph(text: str | None) -> str:
    """Returns the text in lines of its own width, without the command that a module's docstring begins with."""
    words = re.sub(r"^`python -m [^`]*`: ", "", _words(text))
    return textwrap.fill(words[:1].upper() + words[1:], PAGE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _words(text: str | None) -> str:
    return " ".join((text or "").split())
