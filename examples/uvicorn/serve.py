"""Serves a published version over HTTP, with TensorFlow, Starlette and Pillow alone.

MODEL=pipeline_output/pushed/latest uvicorn --app-dir examples/uvicorn serve:app --port 8000
curl --data-binary @frog.jpg localhost:8000/classify
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

MOST_BYTES = 20_000_000
MOST_PIXELS = 50_000_000  # a small file may hold an image that fills the memory
FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # what the signature `encoded` takes


class Classifier:
    """A published version in memory. Threads may share it."""

    def __init__(self, version: Path) -> None:
        """Loads the version and answers a first request, which takes longer than those that follow."""
        self.version = version.resolve().name
        self._card = json.loads((version / "assets.extra" / "model_card.json").read_bytes())
        self._model = tf.saved_model.load(str(version))  # kept: signatures do not keep their variables alive
        self._encoded = self._model.signatures["encoded"]
        blank = tf.zeros((self._card["image_height"], self._card["image_width"], 3), tf.uint8)
        self.classify(tf.io.encode_png(blank).numpy())

    def classify(self, photo: bytes) -> dict[str, Any]:
        """Returns the most probable class of an image file. Raises tf.errors.InvalidArgumentError if it is damaged."""
        answer = self._encoded(image_bytes=tf.constant([photo]))
        class_id = int(answer["class_id"][0])
        probability = float(answer["probabilities"][0, class_id])
        confidence = self._card["confidence"]
        is_sure = probability >= (0.5 if confidence is None else confidence)
        return {
            "version": self.version,
            "class_name": self._card["class_names"][class_id],
            "probability": probability,
            # What a caption says: nothing, if the model is unsure.
            "named": self._card["caption_nouns"][class_id] if is_sure else None,
        }


async def classify(request: Request) -> JSONResponse:
    """Answers a request whose body is an image file."""
    photo = await _read(request)
    _require_image(photo)
    try:
        return JSONResponse(await run_in_threadpool(request.app.state.classifier.classify, photo))
    except tf.errors.InvalidArgumentError as error:
        raise HTTPException(400, "the image is damaged; send it whole") from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"the body has more than {MOST_BYTES:,} bytes; send a smaller image")
    return bytes(body)


def _require_image(photo: bytes) -> None:
    """Reads the header of the file alone. Raises HTTPException unless the model can take it."""
    try:
        with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise HTTPException(415, f"the body is no image; send the bytes of a file: {', '.join(FORMATS)}") from error
    if width * height > MOST_PIXELS:
        raise HTTPException(413, f"the image has {width} x {height} pixels, more than {MOST_PIXELS:,}; send a smaller")


async def health(request: Request) -> JSONResponse:
    """Says which version is served; there is no answer before it is loaded and warm."""
    return JSONResponse({"version": request.app.state.classifier.version})


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def make_app(version: Path) -> Starlette:
    """Returns the application that serves the version in a folder. It is loaded when the server starts."""

    @contextlib.asynccontextmanager
    async def loaded(app: Starlette) -> AsyncIterator[None]:
        app.state.classifier = Classifier(version)
        yield

    routes = [Route("/classify", classify, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=loaded, exception_handlers={HTTPException: _refuse})


app = make_app(Path(os.environ.get("MODEL", "pipeline_output/pushed/latest")))
