"""Versions as push leaves them, as far as those who compare with them read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from components.artifacts import Examples, Model


def publish(
    pushed: Path,
    number: int,
    model_digest: str,
    accuracy: float,
    model: Model | None = None,
    baseline: str = "",
    class_names: tuple[str, ...] | None = None,
    examples: Examples | None = None,
    images: int = 1000,
) -> Path:
    """`<pushed>/<number>`: with a SavedModel in it if there is a model, made of `examples` if that is on record."""
    folder = pushed / str(number)
    if model is not None:
        shutil.copytree(model.saved_model, folder)
    extra = folder / "assets.extra"
    extra.mkdir(parents=True, exist_ok=True)
    card = {
        "class_names": class_names or (model.class_names if model else ("a", "b")),
        "image_height": model.image_height if model else 32,
        "image_width": model.image_width if model else 32,
        "files": [{"variant": "saved_model", "comparison": {"accuracy": accuracy, "images": images}}],
    }
    artifacts: dict[str, dict[str, Any]] = {"evaluate": {"kind": "evaluation", "identity": {"fingerprint": baseline}}}
    if examples is not None:
        made = pushed.parent / "ingest" / f"of-{number}"
        made.mkdir(parents=True)
        examples.model_copy(update={"folder": made}).write()
        artifacts["ingest"] = {"kind": "examples", "folder": f"ingest/of-{number}", "digest": examples.digest}
    record = {"model_digest": model_digest, "artifacts": artifacts}
    (extra / "model_card.json").write_text(json.dumps(card))
    (extra / "provenance.json").write_text(json.dumps(record))
    return folder
