"""The check that Beam knows the runner, and the options that this command does not: early, without importing Beam."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.runners import DIRECT_RUNNER

OWN = "--train_resource_hints"  # defined in resource_hints.py


def check_names(runner: str, beam_args: Sequence[str]) -> None:
    """Raises UsageError for a runner that Beam does not have, or an option that DirectRunner does not know.

    Other runners may have options of their own.
    """
    if runner != DIRECT_RUNNER and "." not in runner:  # with a dot: a class of anybody's
        _check_runner(runner)
    if runner == DIRECT_RUNNER and not _all_familiar(beam_args):
        from pipeline.runners.beam_options import make_options  # slow, but exact

        make_options(runner, beam_args)


def _check_runner(runner: str) -> None:
    known = re.findall(r"'apache_beam\.runners\.[\w.]*\.(\w+Runner)'", _beam_text())
    if not {runner.lower(), f"{runner.lower()}runner"} & set(map(str.lower, known)):  # Beam takes "flink" as well
        raise UsageError(
            f"--runner={runner}: Beam has no such runner. It has {', '.join(known)}; others are given as MODULE.CLASS."
        )


def _all_familiar(beam_args: Sequence[str]) -> bool:
    """Returns whether each option's name occurs in the source of Beam's own options."""
    names = {word.partition("=")[0] for word in beam_args if word.startswith("--")} - {OWN}
    text = _beam_text() if names else ""
    return all(f"'{name}'" in text or f'"{name}"' in text for name in names)


def _beam_text() -> str:
    found = importlib.util.find_spec("apache_beam")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0], "options", "pipeline_options.py").read_text(encoding="utf-8")
