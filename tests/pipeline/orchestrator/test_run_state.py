"""Which component is said to have failed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.orchestrator.execution import _note_failure
from pipeline.orchestrator.plan import Plan, Selection, Step
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.orchestrator.run_state import final_nodes
from pipeline.store.local_store import Store
from tests.pipeline.toys import Count, CountConfig, FactorConfig, Multiply

REASON = "components.component.ComponentError: The weights are damaged."


@pytest.mark.parametrize(
    ("within", "states", "reasons"),
    [
        ("normalize", ["skipped", "failed"], ["stopped, because normalize failed", "The weights are damaged."]),
        ("", ["failed", "failed"], ["why", "why"]),  # the runner does not say where
    ],
)
def test_a_component_that_scans_beside_one_that_fails_is_not_blamed(
    tmp_path: Path, within: str, states: list[str], reasons: list[str]
) -> None:
    run = RunFolder(tmp_path, "one")
    run.create()
    components = Count(CountConfig()), Multiply(FactorConfig())
    for component in components:
        run.write_node(NodeRecord(component=component.name, state="running", started=time.time()))
    error = RuntimeError(f"{REASON} [while running '{within}/scan']" if within else REASON)
    _note_failure(run, [component.name for component in components], error)
    plan = Plan(
        Store(tmp_path),
        Selection(("ingest", "normalize")),
        [Step(component, "run", (), None) for component in components],
    )
    nodes = final_nodes(plan, run, "why")
    assert [node.state for node in nodes] == states
    assert [node.reason for node in nodes] == reasons
