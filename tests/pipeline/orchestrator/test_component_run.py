"""Work without Beam: what one worker does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.component import Component, Workspace
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.run_record import RunFolder
from pipeline.store.local_store import Store
from tests.pipeline.toys import Count, CountConfig, Numbers


@dataclass(frozen=True)
class Overtaken(Count):
    """While it works, a rival does the same work, commits it and removes what both have in scratch."""

    rival_commits: bool = True

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        begun = workspace.root / "begun"
        if begun.exists():
            return super().run(workspace)
        begun.touch()
        (workspace.scratch / "half").write_text("done")
        if self.rival_commits:
            work(self, workspace.root, "rival").run()
        else:
            (workspace.scratch / "half").unlink()
        (workspace.scratch / "half").read_text()
        raise AssertionError("the rival left scratch where it was")


def work(component: Component, root: Path, run_id: str) -> ComponentRun:
    RunFolder(root, run_id).create()
    return ComponentRun(component=component, upstream=(), root=root, run_id=run_id)


@pytest.mark.parametrize("source", [None, "photos"], ids=["source comes with the work", "source is there"])
def test_work_that_a_rival_has_done_is_a_hit(tmp_path: Path, source: str | None) -> None:
    if source:
        (tmp_path / "source").write_text(source)
    manifest = work(Overtaken(CountConfig()), tmp_path, "overtaken").run()
    assert manifest.build.run_id == "rival"
    assert RunFolder(tmp_path, "overtaken").read_node("ingest").state == "cached"
    assert Store(tmp_path).load(manifest, Numbers).values == (0, 1, 2, 3, 4)
    assert len(list(tmp_path.glob("ingest/*/attempt-*"))) == 1


def test_work_that_nobody_has_done_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        work(Overtaken(CountConfig(), rival_commits=False), tmp_path, "alone").run()
    assert RunFolder(tmp_path, "alone").read_node("ingest").state == "failed"
