"""The reference pages that are written by hand name every field of what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from components.push.card import ModelCard, Preprocessing, Row
from components.push.comparison import Comparison
from components.push.exports import KINDS
from components.push.measurement import Latency, Machine, Measurement
from pipeline.lineage import Lineage
from pipeline.orchestrator.run_record import NodeRecord, RunRecord
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from pipeline.verify import Verification

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def names(page: str) -> set[str]:
    """What the page names outside of its code blocks, alone or as a part of a longer name."""
    text = re.sub("```.*?```", "", (REFERENCE / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    quoted = re.findall(r"`([^`]+)`", text)
    return {part for name in quoted for part in re.split(r"[.\[\]]+", name)}


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("run-record.md", RunRecord),
        ("run-record.md", NodeRecord),
        ("model-card.md", ModelCard),
        ("model-card.md", Preprocessing),
        ("model-card.md", Row),
        ("model-card.md", Comparison),
        ("model-card.md", Measurement),
        ("model-card.md", Latency),
        ("model-card.md", Machine),
        ("folder-layout.md", Manifest),
        ("folder-layout.md", Identity),
        ("folder-layout.md", BuildInfo),
        ("json-output.md", Lineage),
        ("json-output.md", Verification),
    ],
)
def test_every_field_is_on_its_page(page: str, model: type[BaseModel]) -> None:
    assert set(model.model_fields) - names(page) == set()


def test_every_variant_and_its_file_are_on_the_page_of_signatures() -> None:
    text = (REFERENCE / "signatures.md").read_text(encoding="utf-8")
    likewise = {"Classifier_palettized6.mlpackage", "Classifier_palettized4.mlpackage"}
    assert [variant for variant in KINDS if f"`{variant}`" not in text] == []
    assert [kind.file for kind in KINDS.values() if kind.file not in text and kind.file not in likewise] == []


@pytest.mark.parametrize("state", RunRecord.model_fields["state"].annotation.__args__)  # type: ignore[union-attr]
def test_every_state_of_a_run_is_explained(state: str) -> None:
    pages = (REFERENCE / "json-output.md").read_text() + (REFERENCE / "run-record.md").read_text()
    assert f"`{state}`" in pages


@pytest.mark.parametrize("state", NodeRecord.model_fields["state"].annotation.__args__)  # type: ignore[union-attr]
def test_every_state_of_a_node_is_explained(state: str) -> None:
    assert f"| `{state}` |" in (REFERENCE / "run-record.md").read_text()
