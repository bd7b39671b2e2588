"""The pipeline, as one sentence. Planner and runner both read it: they differ in what an edge is."""

from __future__ import annotations

from typing import Any, Protocol

from components.component import Component
from components.evaluate import Evaluate
from components.ingest import Ingest
from components.normalize import Normalize
from components.push import Push
from components.train import Train
from pipeline.config import PipelineConfig

COMPONENTS: tuple[type[Component], ...] = (Ingest, Normalize, Train, Evaluate, Push)  # in the order of the sentence


class Edge(Protocol):
    """What is known of an artifact between two components: a plan of it, or a Beam collection that will hold it."""

    def apply(self, component: Component, edges: tuple[Any, ...]) -> Edge:
        """The edge that leaves `component` when `edges` lead into it."""
        ...


def build(pipeline: Edge, config: PipelineConfig) -> None:
    """Chains the components. `pipeline` is the edge that leads into the first of them."""
    examples = pipeline | Ingest(config.ingest)
    statistics = examples | Normalize(config.normalize)
    model = (examples, statistics) | Train(config.train)
    evaluation = (examples, model) | Evaluate(config.evaluate)
    (examples, model, evaluation) | Push(config.push)
