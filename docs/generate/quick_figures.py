"""Makes the page of quick figures from the results of `benchmarks.all`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "quick"
HEAD = """# Quick figures

This page is written by `python -m docs.generate` from the results of `python -m benchmarks.all --quick`, which runs
every benchmark in a small size. Run it before and after a change of the code, on one machine, and compare. The other
pages hold the figures of longer runs.

*Matrix product* is explained in [index.md](index.md); it was measured right before and right after each benchmark.
Where the two differ by more than a tenth, the machine was not quiet: do not compare those seconds.
"""


def write_quick_figures() -> str:
    """Returns the page, with a section for each result."""
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    return "\n".join([HEAD, *(_section(name, result) for name, result in results.items())])


def _section(name: str, result: Mapping[str, Any]) -> str:
    printed = "\n".join(line for line in result["printed"] if not line.startswith(("{", "[")))  # for programs
    before, after = result["machine_before"], result["machine_after"]
    products = ", ".join(
        f"{before[f'{precision}_gflop_per_second']:.0f} and {after[f'{precision}_gflop_per_second']:.0f} GFLOP/s in "
        f"{precision}"
        for precision in ("float32", "bfloat16")
    )
    failed = f" **It failed, with exit code {result['exit_code']}.**" if result["exit_code"] else ""
    return (
        f"## {name}\n\n`{result['command']}`\n\n{result['date']}, {result['seconds']} s, "
        f"{result['processor_seconds']} s of processor time, {before['cores']} cores; matrix product before and after: "
        f"{products}.{failed}\n\n```text\n{printed}\n```\n"
    )
