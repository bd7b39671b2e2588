"""Handles uploaded files safely: it limits their size, ignores their names, and shows only re-encoded copies."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import IO

import anyio
from PIL import Image

from components.images.photos import UnreadableError, count_pixels, read_photo
from pipeline.demo.chat import Photo
from pipeline.demo.model_reloader import ModelReloader
from pipeline.web.requests import RefusedError, read_bounded

MAX_BYTES = 25_000_000
MAX_PIXELS = 80_000_000  # the widest panoramas of a phone have 65 million
PARSERS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF")
DECODING_THREADS = 2
LARGE_PIXELS = MAX_PIXELS // DECODING_THREADS  # a larger photo is handled alone: each pixel takes 16 bytes
MOST_UPLOADS = 64  # at the same time, from the first byte to the answer
FIRST_MODEL_SECONDS = 60.0
MEMORY_BYTES = 1_000_000  # larger uploads are kept in a temporary file without a name
THUMBNAIL_PIXELS = 720
LOSSLESS_PIXELS = 96
SHOWN_CLASSES = 10


class Uploads:
    """The receiver of uploads, which limits how many are handled at the same time."""

    def __init__(self, reloader: ModelReloader) -> None:
        self._reloader = reloader
        self._open = 0
        self._threads = anyio.CapacityLimiter(DECODING_THREADS)
        self._one_large = anyio.Lock()

    async def receive(self, chunks: AsyncIterator[bytes], declared_bytes: int | None) -> Photo:
        """Reads and classifies the photo in a request's body. Raises RefusedError with what is wrong with it."""
        with self._place(), tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
            await read_bounded(chunks, declared_bytes, MAX_BYTES, file)
            pixels = await anyio.to_thread.run_sync(count_pixels, file, PARSERS, limiter=self._threads)
            if pixels <= LARGE_PIXELS:
                return await anyio.to_thread.run_sync(self._look, file, limiter=self._threads)
            return await self._look_alone(file)

    async def _look_alone(self, file: IO[bytes]) -> Photo:
        """Looks at a large photo while no other is looked at: no more than MAX_PIXELS are decoded at a time."""
        async with self._one_large:
            self._threads.total_tokens = 1
            try:
                return await anyio.to_thread.run_sync(self._look, file, limiter=self._threads)
            finally:
                self._threads.total_tokens = DECODING_THREADS

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._open >= MOST_UPLOADS:
            raise RefusedError(503, f"{MOST_UPLOADS} photos are on their way already. Try again in a moment.")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def _look(self, file: IO[bytes]) -> Photo:
        try:
            pixels = read_photo(file, parsers=PARSERS, max_pixels=MAX_PIXELS).pixels
        except UnreadableError as error:
            raise RefusedError(422, f"This file is not shown: {str(error).rstrip('.')}.") from None
        except MemoryError:
            raise RefusedError(503, "There is no memory for this photo now. Try again, or a smaller one.") from None
        model = self._reloader.first_model(FIRST_MODEL_SECONDS)
        prediction = model.predict(pixels) if model else None
        shown = tuple(prediction.probabilities.items())[:SHOWN_CLASSES] if prediction else ()
        named = prediction.named if prediction else None
        version = model.version if model else None
        return Photo(*_thumbnail(pixels), probabilities=shown, named=named, version=version)


def _thumbnail(pixels: Image.Image) -> tuple[bytes, str, int, int]:
    """Returns a small copy without metadata, encoded again: its bytes, media type, width and height."""
    small = pixels.copy() if max(pixels.size) <= THUMBNAIL_PIXELS else pixels
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    small.info = {}
    format_ = "PNG" if max(small.size) <= LOSSLESS_PIXELS else "JPEG"
    data = io.BytesIO()
    small.save(data, format_, quality=85)
    return data.getvalue(), f"image/{format_.lower()}", *small.size
