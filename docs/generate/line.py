"""The picture of the line: an SVG of the components and of what flows between them, drawn from `pipeline/dag.py`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from components.component import Component, ShardedComponent
from pipeline import dag
from pipeline.config import DEFAULT_PATH, load_config

REPOSITORY = Path(__file__).parents[2]

# Pixels.
BOX_WIDTH, BOX_HEIGHT, GAP = 124, 62, 114
STACKED = 6  # between the sheets of a component that works on many shards
SIDE, ENTRY = 28, 88  # the margin left and right; the arrow that leads in, and the one that leads out
TOP, RAIL, CORNER, HEAD = 34, 40, 10, 9
LEGEND = 56
HALF_NAME = 50  # of the longest artifact's name

INK, QUIET, PAPER, FRAME, BOX = "#1f2328", "#59636e", "#ffffff", "#d1d9e0", "#f6f8fa"
COLORS = ("#0969da", "#1a7f37", "#8250df", "#bc4c00", "#bf3989", "#0a7d8c")  # of artifacts, in the order of the graph
FONT = "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, 'Liberation Sans', sans-serif\""


class Connection(NamedTuple):
    """An artifact on its way from one component to another."""

    artifact: str
    source: str
    target: str


@dataclass
class Line:
    """The components of a graph and their connections, in the order of the graph."""

    components: list[Component] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def position(self, name: str) -> int:
        """Returns the place of a component in the row, from 0."""
        return next(index for index, component in enumerate(self.components) if component.name == name)


@dataclass(frozen=True)
class DrawnEdge:
    """An edge of the graph that only remembers where it comes from."""

    line: Line
    source: str = ""  # the component that it leaves; empty for the edge that leads into the graph

    def apply(self, component: Component, edges: tuple[Any, ...]) -> DrawnEdge:
        """Adds the component, and a connection for each artifact that it takes."""
        sources = [edge.source for edge in edges if edge.source]
        self.line.components.append(component)
        self.line.connections += [
            Connection(name, source, component.name) for name, source in zip(component.inputs, sources, strict=True)
        ]
        return DrawnEdge(self.line, component.name)


def default_graph(edge: dag.Edge) -> None:
    """Chains all components that there are: those that the repository's config asks for with a pretrained network."""
    dag.build(edge, load_config(REPOSITORY / DEFAULT_PATH, ["train.recipe=transfer", "inspect={}"]))


def draw_line(graph: Callable[[DrawnEdge], None] = default_graph) -> str:
    """Returns the picture of a graph as an SVG document, the same bytes each time."""
    line = Line()
    graph(DrawnEdge(line))
    return Drawing(line).document()


class Rail(NamedTuple):
    """The way of an artifact past components that do not take it."""

    artifact: str
    source: int  # places in the row
    targets: tuple[int, ...]
    side: int  # 1: below the boxes; -1: above
    level: int  # 0 is the nearest to the boxes

    def meets(self, other: Rail) -> bool:
        """Whether the two would be drawn over one another."""
        apart = self.targets[-1] <= other.source or other.targets[-1] <= self.source
        return (self.side, self.level) == (other.side, other.level) and not apart


def lay_rails(line: Line) -> list[Rail]:
    """Returns a rail for every artifact that skips a component, each in the nearest free place."""
    rails: list[Rail] = []
    for source, component in enumerate(line.components):
        leaving = [connection for connection in line.connections if connection.source == component.name]
        targets = [line.position(connection.target) for connection in leaving]
        skipping = tuple(target for target in targets if target > source + 1)
        if skipping:
            artifact = leaving[0].artifact
            tries = (Rail(artifact, source, skipping, side, level) for level in itertools.count() for side in (1, -1))
            rails.append(next(rail for rail in tries if not any(rail.meets(other) for other in rails)))
    return rails


class Drawing:
    """A line with a place for everything."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.rails = lay_rails(line)
        names = (component.name for component in line.components)
        self.colors = dict(zip(names, itertools.cycle(COLORS), strict=False))
        above, below = (
            1 + max((rail.level for rail in self.rails if rail.side == side), default=-1) for side in (-1, 1)
        )
        self.top = TOP + RAIL * above
        self.middle = self.top + BOX_HEIGHT // 2
        self.bottom = self.top + BOX_HEIGHT
        self.height = self.bottom + RAIL * below + TOP + LEGEND
        self.width = self._left(len(line.components)) - GAP + ENTRY + SIDE

    def document(self) -> str:
        """Returns the SVG."""
        names = ", ".join(component.name for component in self.line.components)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" {FONT} text-anchor="middle">'
        )
        paper = (
            f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="10" fill="{PAPER}" '
            f'stroke="{FRAME}"/>'
        )
        parts = [head, f"<title>The line: {names}</title>", paper, *self._parts(), "</svg>"]
        return "\n".join(parts) + "\n"

    def _parts(self) -> Iterator[str]:
        yield from self._entry()
        yield from self._exit()
        for connection in self.line.connections:
            if self.line.position(connection.target) == self.line.position(connection.source) + 1:
                yield self._straight(connection)
        for rail in self.rails:
            yield from self._railed(rail)
        for index, component in enumerate(self.line.components):
            yield self._box(index, component)
        yield from self._legend()

    def _left(self, index: int) -> int:
        """Returns the left side of a box."""
        return SIDE + ENTRY + index * (BOX_WIDTH + GAP)

    def _entry(self) -> Iterator[str]:
        """Yields the arrow that leads into the line."""
        yield _arrow([(SIDE, self.middle), (self._left(0) - 2, self.middle)], QUIET, "images: into the line")
        yield _text(SIDE + (ENTRY - HEAD) / 2, self.middle - 9, "images", QUIET)

    def _exit(self) -> Iterator[str]:
        """Yields the arrow that leads out of the line."""
        last = self.line.components[-1]
        artifact, color = last.artifact.kind(), self.colors[last.name]
        start = self._left(len(self.line.components) - 1) + BOX_WIDTH
        yield _arrow([(start, self.middle), (start + ENTRY, self.middle)], color, f"{artifact}: out of the line")
        yield _text(start + (ENTRY - HEAD) / 2 + 3, self.middle - 9, artifact, color)

    def _straight(self, connection: Connection) -> str:
        start = self._left(self.line.position(connection.source)) + BOX_WIDTH
        color = self.colors[connection.source]
        arrow = _arrow([(start, self.middle), (start + GAP - 2, self.middle)], color, _title(connection))
        behind = max(_sheets_of(self.line.components[self.line.position(connection.source)]))
        x = start + (GAP - HEAD + STACKED * behind) / 2
        return arrow + "\n" + _text(x, self.middle - 9, connection.artifact, color)

    def _railed(self, rail: Rail) -> Iterator[str]:
        edge = self.bottom if rail.side == 1 else self.top
        y = edge + rail.side * RAIL * (rail.level + 1)
        start = self._port(rail, rail.source)
        source = self.line.components[rail.source]
        color = self.colors[source.name]
        for target in rail.targets:
            component, end = self.line.components[target], self._port(rail, target)
            overhang = STACKED * max(_sheets_of(component)) if rail.side == -1 else 0
            points = [(start, edge), (start, y), (end, y), (end, edge - overhang + 2 * rail.side)]
            yield _arrow(points, color, _title(Connection(rail.artifact, source.name, component.name)))
        yield _text(self._name_x(rail), y + (17 if rail.side == 1 else -8), rail.artifact, color)

    def _name_x(self, rail: Rail) -> float:
        """Returns where a rail's name stands: in the middle of its first part, or where no other rail crosses it."""
        outer = [each for each in self.rails if each.side == rail.side and each.level > rail.level]
        crossing = [self._port(each, place) for each in outer for place in (each.source, *each.targets)]
        start, end = self._port(rail, rail.source), self._port(rail, rail.targets[0])
        tries = [start + (end - start) * part for part in (1 / 2, 1 / 4, 3 / 4)]
        return next((x for x in tries if all(abs(x - each) > HALF_NAME for each in crossing)), tries[0])

    def _port(self, rail: Rail, place: int) -> float:
        """Returns where on a box the rail begins or ends: those that come in to the left of those that go out."""
        here = [each for each in self.rails if each.side == rail.side and place in (each.source, *each.targets)]
        here.sort(key=lambda each: (each.source == place, each.level))
        return round(self._left(place) + BOX_WIDTH * (here.index(rail) + 1) / (len(here) + 1), 1)

    def _box(self, index: int, component: Component) -> str:
        return _sheets(self._left(index), self.top, BOX_WIDTH, BOX_HEIGHT, _sheets_of(component), component.name)

    def _legend(self) -> Iterator[str]:
        y = self.height - LEGEND + 6
        yield f'<path d="M{SIDE} {y - 10}H{self.width - SIDE}" stroke="{FRAME}"/>'
        x = SIDE
        for sheets, words in (((0,), "one call on one worker"), ((2, 1, 0), "many shards, on all workers")):
            yield _sheets(x, y + 14, 28, 16, sheets, "")
            yield _text(x + 48, y + 27, words, QUIET, anchor="start")
            x += 90 + 7 * len(words)
        yield _arrow([(x, y + 22), (x + 36, y + 22)], QUIET, "an arrow")
        yield _text(x + 48, y + 27, "the manifest of an artifact; its files stay in the store", QUIET, anchor="start")


def _sheets_of(component: Component) -> tuple[int, ...]:
    """Returns the sheets that a box is drawn with: 0 is in front, the others lie higher and further right."""
    return (2, 1, 0) if isinstance(component, ShardedComponent) else (0,)


def _title(connection: Connection) -> str:
    return f"{connection.artifact}: {connection.source} to {connection.target}"


def _sheets(x: float, y: float, width: int, height: int, sheets: tuple[int, ...], name: str) -> str:
    """Returns a box with its name in it, and as many boxes behind it as there are further sheets."""
    step, radius, stroke = (STACKED, 6, 1.5) if name else (STACKED // 2, 3, 1)
    style = f'width="{width}" height="{height}" rx="{radius}" fill="{BOX}" stroke="{INK}" stroke-width="{stroke}"'
    boxes = [f'<rect x="{x + step * sheet:g}" y="{y - step * sheet:g}" {style}/>' for sheet in sheets]
    label = [_text(x + width / 2, y + height / 2 + 6, name, INK, size=18, weight=600)] if name else []
    return "\n".join(boxes + label)


def _text(x: float, y: float, words: str, color: str, size: int = 16, weight: int = 400, anchor: str = "middle") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{color}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{words}</text>'


def _arrow(points: Sequence[tuple[float, float]], color: str, title: str) -> str:
    """Returns a line with round corners through points that lie above or beside one another, and its head."""
    (x, y), (before_x, before_y) = points[-1], points[-2]
    along_x, along_y = _sign(x - before_x), _sign(y - before_y)
    neck_x, neck_y = x - HEAD * along_x, y - HEAD * along_y
    wing_x, wing_y = along_y * HEAD / 2, along_x * HEAD / 2
    head = f"M{x:g} {y:g}L{neck_x + wing_x:g} {neck_y + wing_y:g}L{neck_x - wing_x:g} {neck_y - wing_y:g}Z"
    path = _rounded([*points[:-1], (neck_x, neck_y)])
    return (
        f'<g><title>{title}</title><path d="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
        f'<path d="{head}" fill="{color}"/></g>'
    )


def _rounded(points: Sequence[tuple[float, float]]) -> str:
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x0, y0), (x, y), (x1, y1) in zip(points, points[1:], points[2:], strict=False):
        into = (x - CORNER * _sign(x - x0), y - CORNER * _sign(y - y0))
        out = (x + CORNER * _sign(x1 - x), y + CORNER * _sign(y1 - y))
        path += f"L{into[0]:g} {into[1]:g}Q{x:g} {y:g} {out[0]:g} {out[1]:g}"
    return path + f"L{points[-1][0]:g} {points[-1][1]:g}"


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
