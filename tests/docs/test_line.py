"""The picture of the line shows the graph as it is now."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from components.component import Component
from docs.generate.line import DrawnEdge, draw_line
from pipeline.dag import COMPONENTS
from tests.pipeline.toys import Add, Count, CountConfig, FactorConfig, Multiply

PICTURE = Path(__file__).parents[2] / "docs" / "concepts" / "line.svg"
SVG = "{http://www.w3.org/2000/svg}"
MAKERS = {component.artifact.kind(): component.name for component in COMPONENTS}


def words(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def arrows(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iterfind(f"{SVG}g/{SVG}title")]


def test_the_picture_in_the_docs_is_the_one_that_the_code_draws() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw_line(), f"{PICTURE} is out of date: run `make docs`"


def test_the_same_graph_gives_the_same_bytes() -> None:
    assert draw_line() == draw_line()


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_every_component_is_there_with_an_arrow_for_each_of_its_inputs(component: type[Component]) -> None:
    picture = draw_line()
    assert words(picture).count(component.name) >= 1
    expected = [f"{artifact}: {MAKERS[artifact]} to {component.name}" for artifact in component.inputs]
    assert sorted(arrow for arrow in arrows(picture) if arrow.endswith(f" to {component.name}")) == sorted(expected)


def test_nothing_is_drawn_outside_of_the_paper() -> None:
    root = ET.fromstring(draw_line())
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in (*root.iter(f"{SVG}text"), *root.iter(f"{SVG}rect")):
        assert 0 <= float(element.attrib["x"]) <= width
        assert 0 <= float(element.attrib["y"]) <= height


def test_two_artifacts_of_one_kind_are_told_apart() -> None:
    def graph(edge: DrawnEdge) -> None:
        numbers = edge | Count(CountConfig())
        multiples = numbers | Multiply(FactorConfig())
        (numbers, multiples) | Add(FactorConfig())

    picture = draw_line(graph)
    connections = sorted(arrow for arrow in arrows(picture) if " to " in arrow)
    assert connections == ["multiples: normalize to train", "numbers: ingest to normalize", "numbers: ingest to train"]
    assert "evaluate" not in words(picture)
