"""Defines what every component is: a name, a config, and one call on one worker or a parallel scan over shards."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from components.artifacts import Artifact
from components.file_exchange import FileExchange
from components.object_storage import RemoteFile

if TYPE_CHECKING:
    import apache_beam as beam


ABSENT = "absent"  # the fingerprint of a source that is not there yet


class Config(BaseModel):
    """The base of every config: frozen, validated when it is made, with unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ComponentConfig(Config):
    """The base of the config of a component: how long the component may take, and how often it is tried."""

    unrecorded: ClassVar[frozenset[str]] = frozenset()  # keys that no record, log or published file tells
    time_limit_minutes: float | None = Field(
        default=None,
        gt=0,
        description="The most minutes that the component may take, over all attempts; then it is ended and the run "
        "fails. null sets no limit.",
    )
    max_attempts: int = Field(
        default=1,
        ge=1,
        description="How often the component is tried before its failure fails the run; a refusal that says what to "
        "change is never tried again.",
    )

    def identity(self) -> dict[str, Any]:
        """Returns the keys that decide what is made: those that subclasses add."""
        return self.model_dump(mode="json", exclude={*ComponentConfig.model_fields, *self.unrecorded})


class ComponentError(Exception):
    """Work that cannot be done as requested.

    The text is for the user: what was seen, what was expected, where, what to do.
    """


def _no_report(done: float, total: float, note: str = "") -> None:
    """Ignores the progress report."""


def _is_here(version: Path) -> Path:
    """Returns the folder of a version, whose files are on this machine."""
    return version


@dataclass(frozen=True)
class Workspace:
    """The folders in which a component works, and the callback to which it reports its progress."""

    folder: Path  # empty, and used by this attempt alone: what is written here becomes the artifact
    scratch: Path  # kept if the attempt is killed: the next attempt at the same work finds what this one left
    root: Path  # shared by all runs: `root / "pushed"`, `root / "datasets"`
    url: str = ""  # of the object storage that the root is a local copy of; empty if there is none
    report: Callable[[float, float, str], None] = _no_report  # done, total, a note such as "473 images/s"
    beam_args: tuple[str, ...] = ()  # for a dataset builder that is itself written in Beam
    provenance: dict[str, Any] = field(default_factory=dict)  # how the inputs were made; push publishes it
    fingerprint: str = ""  # the component's own fingerprint when the work began
    fetch_version: Callable[[Path], Path] = _is_here  # brings the model of a published version into its folder
    code_digest: str = ""  # of the code and the libraries that make the artifact
    file_digests: dict[Path, str] = field(default_factory=dict)  # SHA-256 of what the component hashed as it wrote it
    forced: bool = False  # whether everything is to be made anew, whatever earlier attempts have left
    exchange: FileExchange = field(default_factory=FileExchange)  # for what a scan writes


@dataclass(frozen=True)
class Component:
    """A component that is one call on one worker. Subclasses import heavy libraries only when they run."""

    name: ClassVar[str]
    # Names of the artifacts that `run` takes, in the order of its parameters. The graph may leave out the last ones, if
    # `run` gives them defaults.
    inputs: ClassVar[tuple[str, ...]] = ()
    artifact: ClassVar[type[Artifact]]
    reads: ClassVar[str] = "the source"  # words by which a plan names what `fingerprint` looks at
    libraries: ClassVar[tuple[str, ...]] = ()  # distributions whose versions decide what is made
    kept_with_version: ClassVar[bool] = False  # by the clean-up, while a version made of it is published
    config: ComponentConfig

    def identity(self) -> dict[str, Any]:
        """Returns the part of the config that decides what is made. Subclasses leave places out."""
        return self.config.identity()

    @property
    def names_machines(self) -> bool:
        """Whether what it publishes may name the hosts on which artifacts were made, and paths outside of the root."""
        return False

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Returns the present state of what the component reads outside of its inputs; None while it is not there.

        It must be cheap: `--plan` and every cached run call it. `inputs` are the digests of the known inputs, by name.
        """
        return ""

    def describe(self, inputs: Mapping[str, Artifact]) -> str:
        """Returns what the component would choose for these inputs and why, for a plan; nothing if it has no choice.

        `inputs` are those that are known, by name, without their files.
        """
        return ""

    def max_fetched_bytes(self, name: str) -> int | None:
        """Returns the most bytes of an input that may be fetched from object storage, all at once; None: any number.

        Of a larger one, only the small files are on this machine: see `components.streamed_files`.
        """
        return None

    def listing(self, place: Path) -> tuple[str, list[RemoteFile]] | None:
        """Returns the URL and the files of data outside of the root, which its artifact names, in object storage.

        None: it is not there. Raises ComponentError if it is not what `place` would be a copy of.
        """
        return None

    def bring(self, place: Path, workspace: Workspace) -> Path:
        """Returns where data outside of the root, which its artifact names, is on this machine; fetches it if need be.

        Machines that share no disk ask for it. Raises ComponentError if the data is not to be had here.
        """
        if not place.exists():
            raise ComponentError(
                f"{place} is not on this machine, {socket.gethostname()}, and what {self.name} has made needs it. "
                "Workers on several machines share only the object storage: put the data there, or at the same path on "
                "each machine."
            )
        return place

    def run(self, workspace: Workspace, *inputs: Any) -> Artifact:
        """Makes the artifact in `workspace.folder`. Raises ComponentError if inputs or config do not allow it."""
        raise NotImplementedError

    def __ror__(self, upstream: Any) -> Any:
        """Applies the component to the edges on the left: `upstream | component`, or `(one, another) | component`."""
        edges = upstream if isinstance(upstream, tuple) else (upstream,)
        return edges[0].apply(self, edges)


@dataclass(frozen=True)
class ShardedComponent(Component):
    """A component that scans shards on as many workers as there are, and gathers the results in one call."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Returns small picklable descriptions of the shards. They carry all that `process` needs to know."""
        raise NotImplementedError

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph from shards to results: few and small, in any order.

        It may return nothing for no shards.
        """
        raise NotImplementedError

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Artifact:
        """Makes the artifact from all results."""
        raise NotImplementedError
