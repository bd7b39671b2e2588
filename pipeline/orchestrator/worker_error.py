"""Reads what a runner raises. From another process, Beam passes an exception on only as the text of a traceback."""

from __future__ import annotations

import re

from components.component import ComponentError
from pipeline.errors import Stopped, explain

_NO_CODE = re.compile(r"No module named '(components|pipeline)[.\w]*'")
_LAST_LINE = re.compile(r"([\w.]+(?:Error|Exception|Stopped)): ")


def is_interrupt(error: BaseException) -> bool:
    """Returns whether an interrupt caused an error."""
    return isinstance(error, KeyboardInterrupt) or bool(re.search(r"^KeyboardInterrupt\b", str(error), re.MULTILINE))


def is_final(error: BaseException) -> bool:
    """Returns whether the same work would fail again: a component refused, or the run was told to stop."""
    refusals = (ComponentError, Stopped)
    names = {f"{refusal.__module__}.{refusal.__name__}: " for refusal in refusals}
    return isinstance(error, refusals) or is_interrupt(error) or _last_line(error).startswith(tuple(names))


def innermost(error: BaseException) -> str:
    """Returns the original reason of an error, as text for people."""
    if missing := _NO_CODE.search(str(error)):
        return (
            f"A worker does not have this project's code ({missing[0]}). Give the command --setup_file=./setup.py, "
            "which sends it, or install the same version on all workers."
        )
    text = re.sub(r"^(components\.component\.ComponentError|pipeline\.errors\.Stopped): ", "", _last_line(error))
    return re.sub(r" \[while running .*", "", text or explain(error))


def is_within(error: BaseException, component: str) -> bool:
    """Returns whether an error says that it came from a transform of the component."""
    return f"[while running '{component}/" in str(error)


def _last_line(error: BaseException) -> str:
    """Returns the last line of a traceback as text, such as `ValueError: too short`; empty if there is none."""
    lines = str(error).strip().splitlines()
    return next((line for line in reversed(lines) if _LAST_LINE.match(line)), "")
