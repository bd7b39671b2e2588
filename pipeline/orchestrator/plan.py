"""What would run, what is cached, and for each miss what changed. Needs no Beam and no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from components.component import Component
from pipeline.errors import UsageError
from pipeline.orchestrator.cache_key import identify
from pipeline.store.local_store import Store
from pipeline.store.manifest import Identity, Manifest

NodePlan = Literal["cached", "run", "reused", "skipped"]
REASONS_SHOWN = 6


@dataclass(frozen=True)
class Selection:
    """Which part of the graph a command asks for."""

    order: tuple[str, ...]  # the components' names, in the order of the graph
    first: str | None = None  # what comes before is taken as it was committed last
    last: str | None = None  # what comes after is left out
    forced: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.first and self.last and self.after(self.first):
            raise UsageError(f"--from {self.first} comes after --to {self.last}. The order is {', '.join(self.order)}.")

    def before(self, component: str) -> bool:
        """Whether the component comes before the part."""
        return self.first is not None and self.order.index(component) < self.order.index(self.first)

    def after(self, component: str) -> bool:
        """Whether the component comes after the part."""
        return self.last is not None and self.order.index(component) > self.order.index(self.last)


class Step(NamedTuple):
    """The plan for one component."""

    component: Component
    state: NodePlan
    reasons: tuple[str, ...]  # of a miss
    manifest: Manifest | None  # of a hit


@dataclass
class Plan:
    """The steps in the order of the graph."""

    store: Store
    selection: Selection
    steps: list[Step] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything that was asked for is there."""
        return all(step.state != "run" for step in self.steps)

    def step(self, component: str) -> Step:
        """The step of one component. Raises StopIteration if the graph has no such component."""
        return next(step for step in self.steps if step.component.name == component)

    def add(self, component: Component, inputs: list[PlannedEdge]) -> Step:
        """Plans one component whose inputs are planned."""
        step = self._step(component, inputs)
        self.steps.append(step)
        return step

    def _step(self, component: Component, inputs: list[PlannedEdge]) -> Step:
        if self.selection.after(component.name):
            return Step(component, "skipped", (f"--to {self.selection.last}",), None)
        if self.selection.before(component.name):
            return Step(component, "reused", (f"--from {self.selection.first}",), self._newest(component))
        named = dict(zip(component.inputs, inputs, strict=True))
        known = {name: edge.manifest for name, edge in named.items() if edge.manifest is not None}
        identity = identify(component, self.store.root, known)
        unknown = {name: edge.name for name, edge in named.items() if edge.manifest is None}
        found = None if unknown else self.store.find(component.name, identity.key)
        if component.name in self.selection.forced:
            return Step(component, "run", ("forced",), None)
        if found is not None:
            return Step(component, "cached", (), found)
        return Step(component, "run", tuple(self._reasons(component.reads, identity, unknown)), None)

    def _newest(self, component: Component) -> Manifest:
        manifest = self.store.newest(component.name)
        if manifest is None or self.store.missing(manifest):
            raise UsageError(
                f"--from {self.selection.first}: there is no artifact of {component.name} in {self.store.root} "
                f"to go on from. Run once without --from."
            )
        return manifest

    def _reasons(self, reads: str, identity: Identity, unknown: dict[str, str]) -> Iterator[str]:
        """Yields why there is no hit: against the committed artifact that differs least, the newest of these.

        `unknown` has the component that will make an input, by the input's name.
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
            gone = [path for each in manifests if each.identity == identity for path in self.store.missing(each)]
            yield from (f"gone: {path}" for path in gone)


@dataclass(frozen=True)
class PlannedEdge:
    """What is known of an artifact before anything runs."""

    plan: Plan
    name: str = ""  # of the component that it leaves
    manifest: Manifest | None = None

    def apply(self, component: Component, edges: tuple[PlannedEdge, ...]) -> PlannedEdge:
        """Plans the component that these edges lead into."""
        step = self.plan.add(component, [edge for edge in edges if edge.name])
        return PlannedEdge(self.plan, component.name, step.manifest)


def make_plan(graph: Callable[[PlannedEdge], None], store: Store, selection: Selection) -> Plan:
    """Walks the graph without running it."""
    plan = Plan(store, selection)
    graph(PlannedEdge(plan))
    return plan


def differences(old: Identity, new: Identity, reads: str, unknown: Collection[str] = ()) -> list[str]:
    """Returns what changed, a phrase each: config keys from what to what, code by definition, data.

    `reads` is what the component's fingerprint looks at; `unknown` are the names of inputs that will be made anew.
    """
    config = [
        f"config: {key} {_short(before)} → {_short(after)}"
        for key, before, after in _changed(_flat(old.config), _flat(new.config))
    ]
    code = [f"code: {name} {_verb(before, after)}" for name, before, after in _changed(old.code, new.code)]
    data = [f"data: {reads} changed"] if old.fingerprint != new.fingerprint else []
    inputs = [
        f"data: {name} changed" for name, before, after in _changed(old.inputs, new.inputs) if name not in unknown
    ]
    return config + code + data + inputs


def _changed(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"splits.train": "train[:96%]"} for {"splits": {"train": "train[:96%]"}}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat


def _verb(before: str | None, after: str | None) -> str:
    return "is new" if before is None else "is gone" if after is None else "changed"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
