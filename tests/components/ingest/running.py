"""Does with ingest what the orchestrator does, without Beam."""

from __future__ import annotations

from components.artifacts import Examples
from components.component import Workspace
from components.ingest import Ingest


def run(component: Ingest, workspace: Workspace) -> Examples:
    """Reads the spans one after the other."""
    from components.ingest.span import read_span

    return component.combine(workspace, [read_span(span) for span in component.list_shards(workspace)])
