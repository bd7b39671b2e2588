from __future__ import annotations

import io
from pathlib import Path

from components.registry.layout import EXTRA
from pipeline.orchestrator.run_summary import _print_version


def test_the_last_lines_name_every_file_for_phones_and_the_card_for_people(tmp_path: Path) -> None:
    extra = tmp_path / "1" / EXTRA
    extra.mkdir(parents=True)
    for name in ("Classifier.mlpackage", "Classifier_neuralnetwork.mlmodel", "Classifier.tflite"):
        (extra / name).touch()
    for name in ("model_card.html", "model_card.json", "model_card.md"):
        (extra / name).touch()

    out = io.StringIO()
    _print_version(tmp_path / "1", "", out)

    files = [
        f"SavedModel  {tmp_path / '1'}",
        f"Core ML     {extra / 'Classifier.mlpackage'}",
        f"LiteRT      {extra / 'Classifier.tflite'}",
        f"Core ML     {extra / 'Classifier_neuralnetwork.mlmodel'}",
        f"model card  {extra / 'model_card.html'}",
    ]
    assert out.getvalue().splitlines() == files

    out = io.StringIO()
    _print_version(tmp_path / "1", "s3://bucket/root/pushed/1", out)

    first = "published   s3://bucket/root/pushed/1, of which this machine has a copy:"
    assert out.getvalue().splitlines() == [first, *files]
