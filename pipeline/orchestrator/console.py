"""The display of a run in progress: a live table in a terminal, plain lines in a log file."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.background import in_background
from pipeline.orchestrator.elapsed import seconds_since
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.text import format_value, open_output

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.table import Table

REFRESH_SECONDS = 0.25
PLAIN_SECONDS = 15.0  # between two progress lines of a node where lines cannot be rewritten
MAX_REASONS = 6
BAR_CELLS = 20
STYLES = {"ran": "green", "cached": "cyan", "reused": "cyan", "running": "yellow", "failed": "bold red"}


def print_plan(plan: Plan, out: TextIO) -> None:
    """Prints one line per component, and below it what it would choose, and the reasons why it would run."""
    for step in plan.steps:
        print(f"  {step.component.name:<10} {step.state:<7}    {step.note}".rstrip(), file=out)
        hidden = len(step.reasons) - MAX_REASONS
        for reason in step.reasons[:MAX_REASONS]:
            print(f"               {reason}", file=out)
        if hidden > 0:
            print(f"               and {hidden} more", file=out)


def describe(node: NodeRecord) -> str:
    """Returns one line about a node: `train      ran       132.1 s  recipe small_data, parameters 214,346`."""
    return f"  {node.component:<10} {node.state:<7} {_seconds(node):>9}  {_detail(node)}".rstrip()


@contextmanager
def watching(run: RunFolder, components: Sequence[str], out: TextIO) -> Iterator[None]:
    """Shows the progress of a run's nodes until the block ends."""
    show = _show_live if out.isatty() else _show_lines
    with in_background(functools.partial(show, run, components, out), "console"):
        yield


@contextmanager
def libraries_write_to(path: Path, out: TextIO) -> Iterator[TextIO]:
    """Redirects stdout and stderr of this process, including its C++ libraries, to the end of a file.

    Yields a stream to the original target of `out` (stdout or stderr), for output that people should see.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with path.open("ab") as log, _terminal(out) as terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for standard, original in zip((1, 2), saved, strict=True):
                os.dup2(original, standard)
                os.close(original)


@contextmanager
def loggers_write_to(path: Path) -> Iterator[None]:
    """Adds what Python's loggers say to a file, until the block ends."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("components").setLevel(logging.INFO)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _terminal(out: TextIO) -> AbstractContextManager[TextIO]:
    """Returns a copy of `out` that writes where it does now; `out` itself where it is no file, as in a notebook."""
    try:
        number = out.fileno()
    except OSError:  # io.UnsupportedOperation
        number = -1
    if number not in (1, 2):
        return nullcontext(out)
    return open_output(os.dup(number), out.encoding)


def _show_lines(run: RunFolder, components: Sequence[str], out: TextIO, stop: threading.Event) -> None:
    """Prints a line when a node's state changes or an attempt begins, and a line of progress every 15 seconds."""
    shown: dict[str, tuple[str, float]] = {}
    while True:
        stopping = stop.wait(REFRESH_SECONDS)
        for node in map(run.read_node, components):
            phase, when = shown.get(node.component, ("waiting", 0.0))
            due = node.state == "running" and node.total > 0 and time.monotonic() - when > PLAIN_SECONDS
            if _phase(node) != phase or due:
                print(describe(_aged(node)), file=out, flush=True)
                shown[node.component] = _phase(node), time.monotonic()
        if stopping:
            return


def _phase(node: NodeRecord) -> str:
    """Returns the state of a node, and which attempt that is if it is not the first."""
    return " ".join([node.state, *re.findall(r"\battempt \d+ of \d+", node.note)[:1]])


def _show_live(run: RunFolder, components: Sequence[str], out: TextIO, stop: threading.Event) -> None:
    """Shows a table that is redrawn in place."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=out)
    overflow: OverflowMethod = "ellipsis" if console.encoding.startswith("utf") else "crop"

    def table() -> Table:
        return _table([_aged(run.read_node(component)) for component in components], overflow)

    with Live(table(), console=console, auto_refresh=False) as live:
        while not stop.wait(REFRESH_SECONDS):
            live.update(table(), refresh=True)
        live.update(table(), refresh=True)


def _table(nodes: Sequence[NodeRecord], overflow: OverflowMethod = "ellipsis") -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(width=11)
    grid.add_column(width=7)
    grid.add_column(width=9, justify="right")
    grid.add_column(ratio=1, overflow=overflow, no_wrap=True)
    for node in nodes:
        style = STYLES.get(node.state, "dim")
        grid.add_row("  " + node.component, Text(node.state, style), Text(_seconds(node), "dim"), Text(_detail(node)))
    return grid


def _aged(node: NodeRecord) -> NodeRecord:
    """Returns the node; if it is running, with the seconds that it has taken so far."""
    if node.state != "running":
        return node
    return node.model_copy(update={"seconds": seconds_since(node.started)})


def _seconds(node: NodeRecord) -> str:
    return f"{node.seconds:.1f} s" if node.state in ("ran", "running", "failed") else ""


def _detail(node: NodeRecord) -> str:
    if node.state == "running" and node.total > 0:
        filled = round(BAR_CELLS * min(node.done / node.total, 1))
        return f"{'━' * filled}{'╌' * (BAR_CELLS - filled)} {node.done:,.0f}/{node.total:,.0f} {node.note}"
    said = {name.replace("_", " "): value for name, value in node.summary.items() if value not in (None, [])}
    return node.reason or ", ".join(f"{name} {format_value(value)}" for name, value in said.items()) or node.note
