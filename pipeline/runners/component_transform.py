"""The Beam transform of a component: from the manifests of its inputs to the manifest of its artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton, PBegin
from apache_beam.typehints.decorators import no_annotations

from components.component import Component, ShardedComponent
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.lookup import Lookup, Retry
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.same_code import code_by_file
from pipeline.runners.resource_hints import resource_hints
from pipeline.store.manifest import Manifest


class ComponentTransform(beam.PTransform):
    """The transform from a tuple of one-element collections of manifests to a one-element collection."""

    def __init__(self, run: ComponentRun) -> None:
        super().__init__()
        self._run = run

    def expand(self, inputs: PBegin | tuple[beam.PCollection, ...]) -> beam.PCollection:
        """Builds the component's part of the graph.

        The inputs become side inputs: this keeps Beam from fusing components and retrying them together.
        """
        upstream = () if isinstance(inputs, PBegin) else inputs
        pipeline = inputs.pipeline if isinstance(inputs, PBegin) else inputs[0].pipeline
        start = pipeline | "start" >> beam.Create([None])
        manifests = [AsSingleton(each) for each in upstream]
        if isinstance(self._run.component, ShardedComponent):
            return self._expand_sharded(self._run.component, start, manifests)
        return start | "run" >> beam.Map(_run, self._run, *manifests)

    def _expand_sharded(
        self, component: ShardedComponent, start: beam.PCollection, manifests: list[AsSingleton]
    ) -> beam.PCollection:
        # The look-up is a side input: otherwise its two readers could each get an attempt of their own. A Reshuffle
        # would prevent that too, but Flink's batch optimizer drops the second of two: one worker would get all shards.
        lookup = AsSingleton(start | "open" >> beam.Map(_open, self._run, *manifests))
        shards = (
            start | "shards" >> beam.FlatMap(_list_shards, self._run, lookup, *manifests) | "spread" >> beam.Reshuffle()
        )
        results = component.process(shards | "count" >> beam.Map(_begin, self._run, lookup, *manifests))
        return start | "combine" >> beam.Map(_combine, self._run, lookup, AsList(results), *manifests)


# Without `no_annotations`, Beam would read `*inputs: Manifest` as one argument that is a tuple.
@no_annotations
def _run(_: None, run: ComponentRun, *inputs: Manifest) -> Manifest:
    return run.run(*inputs)


@no_annotations
def _open(_: None, run: ComponentRun, *inputs: Manifest) -> Lookup:
    return run.open(*inputs)


@no_annotations
def _list_shards(_: None, run: ComponentRun, lookup: Lookup, *inputs: Manifest) -> list[Any]:
    return list(run.list_shards(lookup, *inputs))


@no_annotations
def _begin(shard: Any, run: ComponentRun, lookup: Lookup, *inputs: Manifest) -> Any:
    return run.begin(lookup, shard, *inputs)


@no_annotations
def _combine(_: None, run: ComponentRun, lookup: Lookup, results: list[Any], *inputs: Manifest) -> Manifest:
    return run.combine(lookup, *inputs, results=list(results))


@dataclass(frozen=True)
class BeamEdge:
    """An artifact that a Beam pipeline will make. `manifest` is None if the plan leaves the artifact out."""

    pipeline: beam.Pipeline
    plan: Plan
    run_id: str
    beam_args: tuple[str, ...]
    component: Component | None = None
    manifest: beam.PCollection | None = None
    retries: Mapping[str, Retry] = field(default_factory=dict)  # by component
    apart: bool = False  # whether workers may be on machines that share nothing but object storage
    elsewhere: bool = False  # whether workers may have code of their own

    def apply(self, component: Component, edges: tuple[BeamEdge, ...]) -> BeamEdge:
        """Adds the component to the Beam pipeline as planned, and returns the edge that leaves it."""
        step = self.plan.step(component.name)
        if step.state == "skipped":
            return self._leaving(component, None)
        if step.state == "reused":
            return self._leaving(component, self.pipeline | component.name >> beam.Create([step.manifest]))
        upstream = tuple(edge for edge in edges if edge.component is not None)
        run = ComponentRun(
            component=component,
            upstream=tuple(edge.component for edge in upstream if edge.component is not None),
            root=self.plan.store.root,
            url=self.plan.store.url,
            run_id=self.run_id,
            apart=self.apart,
            forced=component.name in self.plan.selection.forced,
            beam_args=self.beam_args,
            retry=self.retries.get(component.name),
            code=code_by_file(type(component).__module__) if self.elsewhere else {},
            planned=step.manifest.identity if step.manifest and not upstream else None,
        )
        inputs = tuple(edge.manifest for edge in upstream) or self.pipeline
        node = ComponentTransform(run).with_resource_hints(**resource_hints(component.name, self.pipeline.options))
        return self._leaving(component, inputs | component.name >> node)

    def _leaving(self, component: Component, manifest: beam.PCollection | None) -> BeamEdge:
        return replace(self, component=component, manifest=manifest)
