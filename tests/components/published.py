"""Versions as push leaves them, as far as those who compare with them read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from components.artifacts import Model


def publish(
    pushed: Path,
    number: int,
    model_digest: str,
    accuracy: float,
    model: Model | None = None,
    baseline: str = "",
    class_names: tuple[str, ...] = ("a", "b"),
) -> Path:
    """`<pushed>/<number>`, with a SavedModel in it if there is a model."""
    folder = pushed / str(number)
    if model is not None:
        shutil.copytree(model.saved_model, folder)
    extra = folder / "assets.extra"
    extra.mkdir(parents=True, exist_ok=True)
    card = {
        "class_names": model.class_names if model else class_names,
        "image_height": model.image_height if model else 32,
        "image_width": model.image_width if model else 32,
        "files": [{"variant": "saved_model", "comparison": {"accuracy": accuracy}}],
    }
    record = {"model_digest": model_digest, "artifacts": {"evaluate": {"identity": {"fingerprint": baseline}}}}
    (extra / "model_card.json").write_text(json.dumps(card))
    (extra / "provenance.json").write_text(json.dumps(record))
    return folder
