from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from pipeline.errors import UsageError
from pipeline.orchestrator.run_artifacts import find_run, gather
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from tests.pipeline.report.conftest import FIRST, SECOND, TwoRuns
from tests.pipeline.report.roots import Root, probabilities_for


@pytest.mark.parametrize(("name", "run"), [("latest", SECOND), (FIRST, FIRST), ("20261122", FIRST)])
def test_a_run_is_found_by_the_beginning_of_its_name(two_runs: TwoRuns, name: str, run: str) -> None:
    assert find_run(two_runs.root.path, name) == run


def test_an_ambiguous_name_is_refused(two_runs: TwoRuns) -> None:
    with pytest.raises(UsageError, match=f"^2026: 2 runs begin so: {FIRST}, {SECOND}.$"):
        find_run(two_runs.root.path, "2026")


def test_an_unknown_name_is_refused(two_runs: TwoRuns) -> None:
    with pytest.raises(UsageError, match=f"^nope: no run begins so. The newest are {SECOND}, {FIRST}.$"):
        find_run(two_runs.root.path, "nope")


def test_a_root_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There are no runs in .* Make one with `python -m pipeline.run`"):
        find_run(tmp_path, "latest")


def test_a_run_that_never_was_has_no_evidence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no record of a run nope"):
        gather(tmp_path, "nope")


def test_all_artifacts_of_a_run_are_loaded(two_runs: TwoRuns) -> None:
    run = gather(two_runs.root.path, SECOND)
    assert run.evaluation == two_runs.after.model_copy(update={"digest": run.manifests["evaluate"].digest})
    assert None not in (run.examples, run.statistics, run.model, run.push)


def test_a_killed_run_has_told_of_its_nodes_itself(two_runs: TwoRuns, tiny: Examples, tmp_path: Path) -> None:
    Root(tmp_path, tiny).run("one", to="ingest")
    run = RunFolder(tmp_path, "one")
    record = run.read()
    assert record is not None
    for node in record.nodes:
        run.write_node(node if node.state == "ran" else NodeRecord(component=node.component, state="running"))
    run.write(record.model_copy(update={"nodes": (), "state": "running"}))
    run = gather(tmp_path, "one")
    assert [node.state for node in run.nodes] == ["ran", "running", "running", "running", "running"]
    assert run.examples is not None


def test_an_artifact_that_was_replaced_is_not_shown_as_the_runs_own(tiny: Examples, tmp_path: Path) -> None:
    labels = np.arange(48) % 3
    root = Root(tmp_path, tiny)
    root.run("one", labels, probabilities_for(labels, 3, 0.5), to="evaluate")
    run = RunFolder(tmp_path, "one")
    record = run.read()
    assert record is not None
    nodes = [
        node.model_copy(update={"digest": "0" * 64}) if node.component == "evaluate" else node for node in record.nodes
    ]
    run.write(record.model_copy(update={"nodes": tuple(nodes)}))
    run = gather(tmp_path, "one")
    assert run.evaluation is None
    assert run.model is not None
    assert run.lost == ("evaluate",)
