"""`python -m pipeline.config`: the config that a run would use, and where each of its values comes from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from pipeline.config import DEFAULT_PATH, load_document, make_config
from pipeline.config.origins import Value, dump, trace_values
from pipeline.config.schema import make_schema
from pipeline.errors import ExitCode, UsageError
from pipeline.text import print_any_text

VALUE_WIDTH = 40  # characters; longer values push the origin of their line to the right


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the config, or its schema; 2 if the config cannot be used."""
    print_any_text()
    options = make_parser().parse_args(arguments)
    if options.schema:
        print(json.dumps(make_schema(), indent=1))
        return ExitCode.DONE
    try:
        document = load_document(options.config, options.set)
        config = make_config(document, str(options.config) + (" with --set" if options.set else ""))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    if options.output == "json":
        print(json.dumps(dump(config), indent=1))
    else:
        print("\n".join(_lines(options.config, list(trace_values(config, document, options.set)))))
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.config",
        description="Prints the config that a run would use, with all defaults filled in, and where each value comes "
        "from: a default, the recipe, the file, or --set. Values that the network or the optimizer does not read are "
        "marked as without effect.",
    )
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="the pipeline's config")
    add("--set", action="append", default=[], metavar="A.B=C", help="changes one config value; may be repeated")
    add("--output", choices=("text", "json"), default="text", help="json: the config alone, as a config file has it")
    add("--schema", action="store_true", help="prints the JSON schema of a config file instead, and reads no config")
    return parser


def _lines(path: Path, values: Sequence[Value]) -> Iterator[str]:
    """`  dataset    "cifar10_sample"    file` for each value, below its section's name."""
    yield str(path)
    name_width = max(len(".".join(value.names[1:])) for value in values)
    value_width = min(VALUE_WIDTH, max(len(_json(value)) for value in values))
    for section, members in groupby(values, key=lambda value: value.names[0]):
        yield ""
        yield section
        for value in members:
            name = ".".join(value.names[1:])
            yield f"  {name:<{name_width}}  {_json(value):<{value_width}}  {value.origin}"


def _json(value: Value) -> str:
    return json.dumps(value.value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
