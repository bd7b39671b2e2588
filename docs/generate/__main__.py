"""`python -m docs.generate`: writes the pages that come from the code; `--check` names those that are out of date."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes all files and returns 0; with --check it writes none, and returns 1 if one of them is out of date."""
    options = make_parser().parse_args(arguments)
    stale = find_stale(DOCS)
    for name in stale:
        if options.check:
            print(f"{DOCS.name}/{name} is out of date: run `python -m docs.generate`.", file=sys.stderr)
        else:
            path = DOCS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(GENERATED[name](), encoding="utf-8")
            print(f"{DOCS.name}/{name}")
    return 1 if options.check and stale else 0


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.generate",
        description="Writes the files of docs/ that come from the code, and names those that have changed.",
    )
    parser.add_argument("--check", action="store_true", help="writes nothing; exits with 1 if a file is out of date")
    return parser


def find_stale(docs: Path) -> list[str]:
    """Returns the generated files, relative to `docs`, that are missing or not as the code says."""
    return [name for name, write in GENERATED.items() if not _holds(docs / name, write())]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _commands() -> str:
    from docs.generate.commands import write_commands

    return write_commands()


def _config() -> str:
    from docs.generate.config import write_config

    return write_config()


def _schema() -> str:
    from pipeline.config.schema import make_schema

    return json.dumps(make_schema(), indent=1, ensure_ascii=False) + "\n"


def _line() -> str:
    from docs.generate.line import draw_line

    return draw_line()


def _quick_figures() -> str:
    from docs.generate.quick_figures import write_quick_figures

    return write_quick_figures()


GENERATED: Mapping[str, Callable[[], str]] = {
    "reference/commands.md": _commands,
    "reference/config.md": _config,
    "reference/pipeline_config.schema.json": _schema,
    "concepts/line.svg": _line,
    "benchmarks/quick.md": _quick_figures,
}

if __name__ == "__main__":
    sys.exit(main())
