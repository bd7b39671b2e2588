"""`python -m pipeline.lineage PATH`: shows which data, code, config, library versions and metrics made a file.

A pushed version carries its own provenance, so this also works on a copy of it, away from its pipeline root.
`--verify` says instead whether all files of a version are those that were pushed, and who signed them.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components.artifacts import Document
from components.files import digest_file
from components.object_storage import is_remote
from components.registry.layout import PROVENANCE
from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.provenance import provenance
from pipeline.store.local_store import Store
from pipeline.store.manifest import MANIFEST, Manifest
from pipeline.text import format_value, print_any_text
from pipeline.verify import verification_lines, verify

WIDTH, VALUE_COLUMN = 120, 13  # of the text, in characters


class Lineage(Document):
    """The origin of a file: the run that made it and the artifacts that went into it."""

    path: Path
    unchanged: bool | None  # whether the file matches its recorded digest; None if none is recorded
    run_id: str
    artifacts: dict[str, Manifest]  # by component


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the lineage of one file or folder, or whether a version is as it was pushed.

    Returns the exit code: 1 if a version is not verified, 2 if nothing is known about the path.
    """
    print_any_text()
    options = make_parser().parse_args(arguments)
    try:
        if options.public_key is not None and not options.verify:
            raise UsageError("--public_key is for --verify, which is not given.")
        if options.verify:
            found = verify(options.path, options.public_key)
            _print(found, verification_lines(found), options.output)
            return ExitCode.DONE if found.verified else ExitCode.FAILED
        lineage = trace(options.path)
        _print(lineage, (line for long in _lines(lineage) for line in _wrapped(long)), options.output)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE


def _print(document: Document, lines: Iterable[str], output: str) -> None:
    print(json.dumps(document.model_dump(mode="json"), indent=1) if output == "json" else "\n".join(lines))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.lineage", description=__doc__)
    parser.add_argument("path", type=_path, help="a file or folder that was pushed, or any artifact")
    parser.add_argument(
        "--verify", action="store_true", help="compares all files of the version in the folder PATH with those pushed"
    )
    parser.add_argument("--public_key", type=Path, metavar="FILE", help="with --verify: the key that must have signed")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json: one JSON object")
    return parser


def _path(text: str) -> Path:
    if is_remote(text):
        raise argparse.ArgumentTypeError(
            f"{text} lies in object storage. Copy the folder of the version to this machine, and name the copy"
        )
    return Path(text)


def trace(path: Path) -> Lineage:
    """Returns the lineage of a path, from the nearest provenance or manifest in its folder or above.

    Raises UsageError if nothing is at `path`, or if no provenance of a pushed version and no manifest of an artifact
    is found or readable.
    """
    if not path.exists():
        raise UsageError(f"There is nothing at {path}.")
    path = path.resolve()
    for folder in (path, *path.parents):
        if (folder / PROVENANCE).is_file():
            return _of_version(path, folder)
        if (folder / MANIFEST).is_file():
            return _of_artifact(path, folder)
    raise UsageError(f"{path}: no {PROVENANCE} and no {MANIFEST} here or above. Only what the pipeline made has one.")


def _of_version(path: Path, folder: Path) -> Lineage:
    try:
        document = json.loads((folder / PROVENANCE).read_bytes())
        artifacts = {name: Manifest.model_validate(each) for name, each in document["artifacts"].items()}
        file = document["files"].get(path.relative_to(folder).as_posix())
        recorded = None if file is None else file["sha256"]
        run_id = document["run_id"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # pydantic raises a ValueError
        raise UsageError(f"{folder / PROVENANCE} cannot be read: {type(error).__name__}: {error}") from error
    unchanged = None if recorded is None else recorded == digest_file(path)
    return Lineage(path=path, unchanged=unchanged, run_id=run_id, artifacts=artifacts)


def _of_artifact(path: Path, folder: Path) -> Lineage:
    store = Store(folder.parent.parent)
    manifest = store.find(folder.parent.name, folder.name)
    if manifest is None:
        raise UsageError(f"{folder / MANIFEST} cannot be read, or what it speaks of is gone.")
    artifacts = provenance(store, [manifest])
    return Lineage(path=path, unchanged=None, run_id=manifest.build.run_id, artifacts=artifacts)


def _lines(lineage: Lineage) -> Iterator[str]:
    yield str(lineage.path)
    yield f"  run        {lineage.run_id}"
    if lineage.unchanged is not None:
        yield f"  bytes      {'as they were pushed' if lineage.unchanged else 'CHANGED since they were pushed'}"
    for manifest in sorted(lineage.artifacts.values(), key=lambda each: each.build.finished):
        yield from _artifact_lines(manifest)


def _wrapped(line: str) -> list[str]:
    """Returns the line broken between words, the following lines below its value."""
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * VALUE_COLUMN, break_long_words=False, break_on_hyphens=False
    ) or [line]


def _artifact_lines(manifest: Manifest) -> Iterator[str]:
    made = manifest.build
    yield ""
    host = f"  on {made.host}" if made.host else ""  # a published version does not tell
    yield f"{manifest.component}  {made.finished[:19]}  {made.seconds:.1f} s{host}"
    yield f"  key        {manifest.key}"
    yield f"  digest     {manifest.digest}"
    yield f"  config     {json.dumps(manifest.identity.config)}"
    yield f"  code       {_code(manifest)}"
    if manifest.identity.fingerprint:
        yield f"  source     {manifest.identity.fingerprint}"
    yield f"  result     {_pairs(manifest.summary)}"
    yield f"  libraries  Python {made.python}, {_pairs(made.libraries)}"


def _code(manifest: Manifest) -> str:
    files = {name.partition(":")[0] for name in manifest.identity.code}
    return f"{len(manifest.identity.code)} definitions in {', '.join(sorted(files))}"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {format_value(value)}" for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main())
