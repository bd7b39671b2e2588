"""Which components are in the graph, and what they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.component import Component
from components.embed import EmbedConfig
from pipeline import dag
from pipeline.config import load_config

CONFIG = Path(__file__).parents[2] / "pipeline_config.json"


@dataclass(frozen=True)
class RecordedEdge:
    """An edge that notes which components are applied, and where their inputs come from."""

    source: str = ""
    components: dict[str, Component] = field(default_factory=dict)
    sources: dict[str, list[str]] = field(default_factory=dict)  # by component

    def apply(self, component: Component, edges: tuple[RecordedEdge, ...]) -> RecordedEdge:
        self.components[component.name] = component
        self.sources[component.name] = [edge.source for edge in edges]
        return RecordedEdge(component.name, self.components, self.sources)


def build(*settings: str) -> RecordedEdge:
    edge = RecordedEdge()
    dag.build(edge, load_config(CONFIG, settings))
    return edge


@pytest.mark.parametrize(
    ("settings", "optional"),
    [
        (["train.recipe=small_data"], []),
        (["train.recipe=transfer"], ["embed"]),
        (["train.recipe=small_data", "inspect={}"], ["embed", "inspect"]),
        (["train.recipe=transfer", "inspect={}"], ["embed", "inspect"]),
        (["train.recipe=small_data", "inspect=null"], []),
    ],
)
def test_a_component_that_nothing_asks_for_is_not_in_the_graph(settings: list[str], optional: list[str]) -> None:
    assert list(build(*settings).components) == ["ingest", "normalize", *optional, "train", "evaluate", "push"]


def test_train_takes_embeddings_by_its_recipe_alone() -> None:
    sources = build("train.recipe=small_data", "inspect={}").sources
    assert sources["train"] == ["ingest", "normalize"]
    assert sources["inspect"] == ["ingest", "embed"]
    assert build("train.recipe=transfer", "inspect={}").sources["train"] == ["ingest", "normalize", "embed"]


def test_evaluate_takes_findings_where_somebody_looks_for_them() -> None:
    assert build("train.recipe=small_data").sources["evaluate"] == ["ingest", "train"]
    assert build("train.recipe=small_data", "inspect={}").sources["evaluate"] == ["ingest", "train", "inspect"]


def test_inspect_has_all_splits_embedded_whatever_embed_says() -> None:
    def splits(*settings: str) -> tuple[str, ...]:
        config = build("train.recipe=transfer", *settings).components["embed"].config
        assert isinstance(config, EmbedConfig)
        return config.splits

    assert splits() == ("train", "validation")
    assert splits("inspect={}", "embed.test_split=false") == ("train", "validation", "test")
