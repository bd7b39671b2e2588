"""Reports to the run's folder how one component is getting on: its progress, its end, and why it failed."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from components.memory import memory_limit_bytes, peak_memory_bytes
from pipeline.errors import Stopped, explain
from pipeline.orchestrator.elapsed import seconds_since
from pipeline.orchestrator.run_record import NodeRecord, NodeState, RunFolder, this_worker
from pipeline.orchestrator.time_limit import stop_countdown
from pipeline.store.manifest import Manifest

REPORT_SECONDS = 0.25  # at least, between two reports of progress


@dataclass(frozen=True)
class NodeReporter:
    """The reporter of one component in one run. Times are in seconds since 1970."""

    component: str
    run_folder: RunFolder

    def running(self, started: float, **fields: Any) -> NodeRecord:
        """Records that the component is at work, and returns the record."""
        node = self.node("running", started=started, **fields)
        self.run_folder.write_node(node)
        return node

    def progress(self, started: float, key: str, note: str) -> Callable[[float, float, str], None]:
        """Returns a function that records progress, a few times a second at most. `note` is added to its notes."""
        last = 0.0

        def report(done: float, total: float, text: str = "") -> None:
            nonlocal last
            now = time.time()
            if now - last < REPORT_SECONDS and done < total:
                return
            last = now
            self.running(started, key=key, done=done, total=total, note=", ".join(filter(None, (text, note))))

        return report

    @contextlib.contextmanager
    def failure(self, started: float | None = None) -> Iterator[None]:
        """Records why the work within failed, and raises the error again: the runner may retry."""
        began = time.time() if started is None else started
        try:
            yield
        except Stopped:
            raise
        except BaseException as error:
            stop_countdown(self.component)
            self.run_folder.append_log(f"{self.component} failed:\n{traceback.format_exc()}")
            seconds = seconds_since(began)
            self.run_folder.write_node(self.node("failed", started=began, seconds=seconds, reason=explain(error)))
            raise

    def end(self, state: NodeState, manifest: Manifest, started: float, note: str = "") -> None:
        """Records that the artifact is there."""
        stop_countdown(self.component)
        node = self.node(state, started=started, seconds=seconds_since(started), note=note)
        self.run_folder.write_node(ended(node, manifest))

    def node(self, state: NodeState, **fields: Any) -> NodeRecord:
        """Returns the component's record with what is known of this process."""
        return NodeRecord(
            component=self.component,
            state=state,
            worker=this_worker(),
            peak_memory_bytes=peak_memory_bytes(),
            memory_limit_bytes=memory_limit_bytes(),
            **fields,
        )


def ended(node: NodeRecord, manifest: Manifest) -> NodeRecord:
    """Returns the node's record with the key, folder, digest and summary of its artifact."""
    return node.model_copy(
        update={
            "key": manifest.key,
            "artifact": manifest.folder,
            "digest": manifest.digest,
            "summary": manifest.summary,
        }
    )
