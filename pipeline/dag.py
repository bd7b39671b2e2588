"""The component graph. The planner and the Beam runner both build it, each with its own kind of edge."""

from __future__ import annotations

from typing import Any, Protocol

from components.component import Component
from components.embed import Embed
from components.evaluate import Evaluate
from components.ingest import Ingest
from components.inspect import Inspect
from components.normalize import Normalize
from components.push import Push
from components.train import Train
from pipeline.config import PipelineConfig

# In the order of the graph.
COMPONENTS: tuple[type[Component], ...] = (Ingest, Normalize, Embed, Inspect, Train, Evaluate, Push)


class Edge(Protocol):
    """The artifact between two components: a planned one, or a Beam collection that will hold its manifest."""

    def apply(self, component: Component, edges: tuple[Any, ...]) -> Edge:
        """Returns the edge that leaves `component` when `edges` lead into it."""
        ...


def build(pipeline: Edge, config: PipelineConfig) -> None:
    """Connects the components into the graph. `pipeline` is the edge that leads into the first component."""
    examples = pipeline | Ingest(config.ingest)
    statistics = examples | Normalize(config.normalize)
    if config.uses_embeddings:
        embeddings = examples | Embed(config.embed_filled_in)
    if config.inspect is not None:
        findings = (examples, embeddings) | Inspect(config.inspect)
    if config.train.uses_embeddings:
        model = (examples, statistics, embeddings) | Train(config.train)
    else:
        model = (examples, statistics) | Train(config.train)
    if config.inspect is not None:
        evaluation = (examples, model, findings) | Evaluate(config.evaluate)
    else:
        evaluation = (examples, model) | Evaluate(config.evaluate)
    (examples, model, evaluation) | Push(config.push)
