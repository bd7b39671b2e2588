"""What every component is: a name, a config, and one call on one worker, or a scan over shards in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from components.artifacts import Artifact

if TYPE_CHECKING:
    import apache_beam as beam


class Config(BaseModel):
    """What a user may say of a component: frozen, checked when it is made, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ComponentError(Exception):
    """Work that cannot be done as asked. The text is for the user: what was seen, expected, where, what to do."""


def _no_report(done: float, total: float, note: str = "") -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Workspace:
    """Where a component works, and whom it tells."""

    folder: Path  # empty and ours alone: what is written here becomes the artifact
    scratch: Path  # outlives a kill: the next attempt at the same work finds here what this one left
    root: Path  # shared by all runs: `root / "pushed"`, `root / "datasets"`
    report: Callable[[float, float, str], None] = _no_report  # done, total, a note such as "473 images/s"
    beam_args: tuple[str, ...] = ()  # for a dataset builder that is itself written in Beam
    provenance: dict[str, Any] = field(default_factory=dict)  # how the inputs came to be, for what is published
    fingerprint: str = ""  # the component's own, as it was when the work began


@dataclass(frozen=True)
class Component:
    """One call on one worker. Subclasses are light: what they need is imported when they run."""

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]] = ()  # names of the artifacts that `run` takes, in its order
    artifact: ClassVar[type[Artifact]]
    reads: ClassVar[str] = "the source"  # what `fingerprint` looks at, as a plan names it
    kept_with_version: ClassVar[bool] = False  # by the clean-up, while a version that was made of it is published
    config: Config

    def identity(self) -> dict[str, Any]:
        """The part of the config that says what is made: all of it, unless it holds places."""
        return self.config.model_dump(mode="json")

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """What the component reads outside of its inputs, as it is now; None while it is not there.

        Cheap: `--plan` and every cached run call it. `inputs` are the digests of the inputs that are known, by name.
        """
        return ""

    def run(self, workspace: Workspace, *inputs: Any) -> Artifact:
        """Makes the artifact in `workspace.folder`. Raises ComponentError where input or config do not allow it."""
        raise NotImplementedError

    def __ror__(self, upstream: Any) -> Any:
        """`upstream | component`, or `(one, another) | component`: whatever the edges are applies it."""
        edges = upstream if isinstance(upstream, tuple) else (upstream,)
        return edges[0].apply(self, edges)


@dataclass(frozen=True)
class ShardedComponent(Component):
    """A pass over shards on as many workers as there are, and one call that gathers what it found."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Small picklable descriptions of the shards; all that `scan` needs to know travels in them."""
        raise NotImplementedError

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """The Beam graph from shards to results: few and small, in any order. Nothing may come of no shards."""
        raise NotImplementedError

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Artifact:
        """Makes the artifact of all results."""
        raise NotImplementedError
