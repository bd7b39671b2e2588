"""`python -m pipeline.push`: lists the published versions, rolls back to one, pins one or unpins one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components.component import ComponentError
from components.registry import pointers
from components.registry.layout import WITHDRAWN
from components.registry.registry import Registry
from components.registry.versions import Version, best_version, fault, latest_version, numbers, read_version
from pipeline.errors import ExitCode, UsageError
from pipeline.store.opening import DEFAULT_ROOT, open_versions
from pipeline.text import format_value, print_any_text

PREVIOUS = -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Rolls back, pins or unpins a version if asked, then lists the versions. Returns the exit code."""
    print_any_text()
    options = make_parser().parse_args(arguments)
    try:
        registry = open_versions(options.pipeline_root)
        if options.rollback is not None:
            before = _latest(registry.folder)
            version = registry.roll_back(None if options.rollback == PREVIOUS else options.rollback)
            print(f"version {version} is the latest again")
            _tell_of_classes(before, _latest(registry.folder))
        if options.pin is not None:
            registry.pin(options.pin)
        if options.unpin is not None:
            registry.unpin(options.unpin)
    except (ComponentError, UsageError) as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {options.pipeline_root} cannot be read or changed: {error}", file=sys.stderr)
        return ExitCode.FAILED
    _print_versions(registry)
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.push",
        description="Lists the published versions, the newest last, after the change that an option asks for. A "
        "rollback moves newer versions to pushed/withdrawn; no run publishes their models again until you roll back to "
        "them.",
    )
    add = parser.add_argument
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--rollback",
        type=int,
        nargs="?",
        const=PREVIOUS,
        metavar="VERSION",
        help="makes VERSION (if left out: the one before the latest) the latest again; withdraws newer versions",
    )
    one.add_argument("--pin", type=int, metavar="VERSION", help="keeps this version, however many follow")
    one.add_argument("--unpin", type=int, metavar="VERSION", help="ends --pin: push.keep applies to this version again")
    one.add_argument("--list", action="store_true", help="only lists the versions, as without options")
    return parser


def _latest(pushed: Path) -> Version | None:
    """Returns the latest version; None if there is none that can be read."""
    folder = latest_version(pushed)
    return None if folder is None else read_version(folder)


def _tell_of_classes(old: Version | None, new: Version | None) -> None:
    """Says which classes come and go with another latest version, where both can be read."""
    if old is None or new is None or old.class_names == new.class_names:
        return
    gone = [name for name in old.class_names if name not in new.class_names]
    come = [name for name in new.class_names if name not in old.class_names]
    changes = [f"no longer {format_value(gone)}"] if gone else []
    changes += [f"now {format_value(come)}"] if come else []
    print(f"its classes differ from version {old.number}'s: {'; '.join(changes) or 'they are in another order'}")


def _print_versions(registry: Registry) -> None:
    pushed = registry.folder
    latest, best, pins = latest_version(pushed), best_version(pushed), pointers.pins(pushed)
    for number in numbers(pushed):
        folder = pushed / str(number)
        is_best = best is not None and number == best.number
        marks = {"latest": folder == latest, "best": is_best, "pinned": number in pins}
        print(_line(folder, [mark for mark, true in marks.items() if true]))
    for number in numbers(pushed / WITHDRAWN):
        print(_line(pushed / WITHDRAWN / str(number), ["withdrawn"]))
    if latest is None:
        print(f"nothing is published in {registry.place}")


def _line(folder: Path, words: list[str]) -> str:
    version = read_version(folder)
    if version is None:
        return f"  {folder.name:>4}  {', '.join(['damaged', *words])}: {fault(folder)}"
    accuracy = format_value(version.accuracy)
    return f"  {version.number:>4}  accuracy {accuracy:<7} {version.model_digest[:12]}  {', '.join(words)}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
