"""What a person sees of a run: a live table in a terminal, plain lines in a log file."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.text import format_value

if TYPE_CHECKING:
    from rich.table import Table

REFRESH_SECONDS = 0.25
PLAIN_SECONDS = 15.0  # between two lines of progress where lines cannot be rewritten
MAX_REASONS = 6
BAR_CELLS = 20
STYLES = {"ran": "green", "cached": "cyan", "reused": "cyan", "running": "yellow", "failed": "bold red"}


def print_plan(plan: Plan, out: TextIO) -> None:
    """One line a component, and below it why it would run."""
    for step in plan.steps:
        print(f"  {step.component.name:<10} {step.state}", file=out)
        hidden = len(step.reasons) - MAX_REASONS
        for reason in step.reasons[:MAX_REASONS]:
            print(f"               {reason}", file=out)
        if hidden > 0:
            print(f"               and {hidden} more", file=out)


def describe(node: NodeRecord) -> str:
    """One line: `train      ran       132.1 s  recipe small_data, parameters 214,346`."""
    return f"  {node.component:<10} {node.state:<7} {_seconds(node):>9}  {_detail(node)}".rstrip()


@contextmanager
def watching(run: RunFolder, components: Sequence[str], out: TextIO) -> Iterator[None]:
    """Shows how the nodes of a run are getting on for as long as the block takes."""
    stop = threading.Event()
    show = _show_live if out.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(run, components, out, stop), name="console", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def libraries_write_to(path: Path, out: TextIO) -> Iterator[TextIO]:
    """Sends what this process and its libraries, C++ ones too, write to the terminal into a file.

    Yields what `out` (stdout or stderr) was, for what people should see.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with path.open("ab") as log, os.fdopen(os.dup(out.fileno()), "w", encoding="utf-8", buffering=1) as terminal:
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


def _show_lines(run: RunFolder, components: Sequence[str], out: TextIO, stop: threading.Event) -> None:
    """A line when a node's state changes, and now and then how far it is."""
    shown: dict[str, tuple[str, float]] = {}
    while True:
        stopping = stop.wait(REFRESH_SECONDS)
        for node in map(run.read_node, components):
            state, when = shown.get(node.component, ("waiting", 0.0))
            due = node.state == "running" and node.total > 0 and time.monotonic() - when > PLAIN_SECONDS
            if node.state != state or due:
                print(describe(_aged(node)), file=out, flush=True)
                shown[node.component] = node.state, time.monotonic()
        if stopping:
            return


def _show_live(run: RunFolder, components: Sequence[str], out: TextIO, stop: threading.Event) -> None:
    """A table that is redrawn in place."""
    from rich.console import Console
    from rich.live import Live

    def table() -> Table:
        return _table([_aged(run.read_node(component)) for component in components])

    with Live(table(), console=Console(file=out), auto_refresh=False) as live:
        while not stop.wait(REFRESH_SECONDS):
            live.update(table(), refresh=True)
        live.update(table(), refresh=True)


def _table(nodes: Sequence[NodeRecord]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(width=11)
    grid.add_column(width=7)
    grid.add_column(width=9, justify="right")
    grid.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    for node in nodes:
        style = STYLES.get(node.state, "dim")
        grid.add_row("  " + node.component, Text(node.state, style), Text(_seconds(node), "dim"), Text(_detail(node)))
    return grid


def _aged(node: NodeRecord) -> NodeRecord:
    """A running node, with the time that it has taken so far."""
    if node.state != "running":
        return node
    return node.model_copy(update={"seconds": time.time() - node.started})


def _seconds(node: NodeRecord) -> str:
    return f"{node.seconds:.1f} s" if node.state in ("ran", "running", "failed") else ""


def _detail(node: NodeRecord) -> str:
    if node.state == "running" and node.total > 0:
        filled = round(BAR_CELLS * min(node.done / node.total, 1))
        return f"{'━' * filled}{'╌' * (BAR_CELLS - filled)} {node.done:,.0f}/{node.total:,.0f} {node.note}"
    said = {name.replace("_", " "): value for name, value in node.summary.items() if value not in (None, [])}
    return node.reason or ", ".join(f"{name} {format_value(value)}" for name, value in said.items()) or node.note
