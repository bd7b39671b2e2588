"""The plan of a run: what would run, what is cached, and for each miss what changed. It needs no Beam or TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from components.component import Component, ComponentError
from pipeline.errors import UsageError
from pipeline.orchestrator.agreement import disagreement
from pipeline.orchestrator.cache_key import identify
from pipeline.store.local_store import Store
from pipeline.store.manifest import Identity, Manifest

NodePlan = Literal["cached", "run", "reused", "skipped"]
REASONS_SHOWN = 6


@dataclass(frozen=True)
class Selection:
    """The part of the graph that a command asks for."""

    order: tuple[str, ...]  # the components' names, in the order of the graph
    first: str | None = None  # components before it are not run: their newest artifacts are used
    last: str | None = None  # components after it are left out
    forced: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.first and self.last and self.after(self.first):
            raise UsageError(f"--from {self.first} comes after --to {self.last}. The order is {', '.join(self.order)}.")

    def before(self, component: str) -> bool:
        """Returns whether the component comes before the selected part."""
        return self.first is not None and self.order.index(component) < self.order.index(self.first)

    def after(self, component: str) -> bool:
        """Returns whether the component comes after the selected part."""
        return self.last is not None and self.order.index(component) > self.order.index(self.last)


class Step(NamedTuple):
    """The plan for one component."""

    component: Component
    state: NodePlan
    reasons: tuple[str, ...]  # why it would run, or is reused or skipped
    manifest: Manifest | None  # of the artifact that is cached or reused
    note: str = ""  # what the component would choose for its inputs, and why


@dataclass
class Plan:
    """The steps of a run, in the order of the graph."""

    store: Store
    selection: Selection
    steps: list[Step] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        """True if no component has to run."""
        return all(step.state != "run" for step in self.steps)

    @property
    def time_limits(self) -> dict[str, float]:
        """The time limits in minutes, by component, of those that have one."""
        limits = {step.component.name: step.component.config.time_limit_minutes for step in self.steps}
        return {name: minutes for name, minutes in limits.items() if minutes is not None}

    def step(self, component: str) -> Step:
        """Returns the step of one component. Raises StopIteration if the graph has no such component."""
        return next(step for step in self.steps if step.component.name == component)

    def add(self, component: Component, inputs: list[PlannedEdge]) -> Step:
        """Plans one component, whose inputs must be planned already, and returns its step."""
        step = self._step(component, inputs)
        self.steps.append(step)
        return step

    def _step(self, component: Component, inputs: list[PlannedEdge]) -> Step:
        if self.selection.after(component.name):
            return Step(component, "skipped", (f"--to {self.selection.last}",), None)
        if self.selection.before(component.name):
            return Step(component, "reused", (f"--from {self.selection.first}",), self._reused(component))
        named = dict(zip(component.inputs, inputs, strict=False))
        known = {name: edge.manifest for name, edge in named.items() if edge.manifest is not None}
        if reason := disagreement(component.name, known.values()):
            raise UsageError(reason)
        identity = self._identify(component, known)
        unknown = {name: edge.name for name, edge in named.items() if edge.manifest is None}
        found = None if unknown else self.store.find(component.name, identity.key)
        if found is not None and component.name not in self.selection.forced:
            return Step(component, "cached", (), found)
        note = self._describe(component, known)
        if component.name in self.selection.forced:
            return Step(component, "run", ("forced",), None, note)
        return Step(component, "run", tuple(self._reasons(component.reads, identity, unknown)), None, note)

    def _describe(self, component: Component, inputs: Mapping[str, Manifest]) -> str:
        kinds = {step.component.name: step.component.artifact for step in self.steps}
        found = {name: self.store.peek(manifest, kinds[manifest.component]) for name, manifest in inputs.items()}
        return component.describe({name: artifact for name, artifact in found.items() if artifact is not None})

    def _identify(self, component: Component, inputs: Mapping[str, Manifest]) -> Identity:
        try:
            return identify(component, self.store.root, inputs)
        except ComponentError as error:
            raise UsageError(str(error)) from error

    def _reused(self, component: Component) -> Manifest:
        manifest = self._line.get(component.name)
        if manifest is None or self.store.faults(manifest):
            raise UsageError(
                f"--from {self.selection.first}: there is no artifact of {component.name} in {self.store.root} "
                f"to go on from. Run once without --from."
            )
        return manifest

    @cached_property
    def _line(self) -> dict[str, Manifest]:
        """The artifacts to go on from, by component: the newest before the start, and those that it was made of."""
        found: dict[str, Manifest] = {}
        for name in filter(self.selection.before, reversed(self.selection.order)):
            manifest = found.get(name) or self.store.newest(name)
            for used in () if manifest is None else (manifest.reference, *manifest.inputs.values()):
                if used.component not in found and (made_of := self.store.find(used.component, used.key)) is not None:
                    found[used.component] = made_of
        return found

    def _reasons(self, reads: str, identity: Identity, unknown: dict[str, str]) -> Iterator[str]:
        """Yields why there is no hit: the differences from the most similar committed artifact, the newest if equal.

        `unknown` maps the name of an input that is not made yet to the component that will make it.
        """
        yield from (f"input: {maker} will run" for maker in unknown.values())
        manifests = sorted(self.store.manifests(identity.component), key=lambda each: each.build.finished, reverse=True)
        nearest = min(
            (differences(each.identity, identity, reads, unknown) for each in manifests), key=len, default=None
        )
        if nearest is None:
            yield "it never ran here"
        elif nearest:
            yield from nearest
        elif not unknown:
            yield from (fault for each in manifests if each.identity == identity for fault in self.store.faults(each))


@dataclass(frozen=True)
class PlannedEdge:
    """An artifact as it is known before anything runs."""

    plan: Plan
    name: str = ""  # of the component that makes the artifact
    manifest: Manifest | None = None

    def apply(self, component: Component, edges: tuple[PlannedEdge, ...]) -> PlannedEdge:
        """Plans the component that these edges lead into, and returns the edge that leaves it."""
        step = self.plan.add(component, [edge for edge in edges if edge.name])
        return PlannedEdge(self.plan, component.name, step.manifest)


def make_plan(graph: Callable[[PlannedEdge], None], store: Store, selection: Selection) -> Plan:
    """Returns the plan of the graph without running anything. Raises UsageError if an artifact to reuse is missing."""
    plan = Plan(store, selection)
    graph(PlannedEdge(plan))
    return plan


def differences(old: Identity, new: Identity, reads: str, unknown: Collection[str] = ()) -> list[str]:
    """Returns one phrase per change: config keys and libraries from old to new, code by definition, and data.

    `reads` names what the component's fingerprint covers. `unknown` are the names of inputs that will be made anew.
    """
    config = [
        f"config: {key} {_short(before)} → {_short(after)}"
        for key, before, after in _changed_values(old.config, new.config)
    ]
    code = [f"code: {name} {_verb(before, after)}" for name, before, after in _changed(old.code, new.code)]
    libraries = [
        f"library: {name} {before} → {after}" for name, before, after in _changed(old.libraries, new.libraries)
    ]
    data = [f"data: {reads} changed"] if old.fingerprint != new.fingerprint else []
    inputs = [
        f"data: {name} {_verb(before, after)}"
        for name, before, after in _changed(old.inputs, new.inputs)
        if name not in unknown
    ]
    return config + code + libraries + data + inputs


def _changed(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _changed_values(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Returns the values of the config that differ.

    Keys that only one of the two has are left out if another value differs: they come with that, as with a recipe.
    """
    common = old.keys() & new.keys()
    before, after = ({key: config[key] for key in common} for config in (old, new))
    return list(_changed(_flat(before), _flat(after))) or list(_changed(_flat(old), _flat(new)))


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"splits.train": "train[:96%]"} for {"splits": {"train": "train[:96%]"}}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat


def _verb(before: str | None, after: str | None) -> str:
    return "is new" if before is None else "is gone" if after is None else "changed"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
