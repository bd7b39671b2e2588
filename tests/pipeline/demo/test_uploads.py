"""What strangers may send: each gets an answer, and the server stays up."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from PIL import Image

from components.registry.registry import open_registry
from pipeline.demo import uploads
from pipeline.demo.model_reloader import ModelReloader
from pipeline.demo.uploads import MAX_BYTES, MOST_UPLOADS, THUMBNAIL_PIXELS, Uploads
from pipeline.web.requests import RefusedError
from tests.components.ingest import odd_images
from tests.pipeline.demo.conftest import Demo
from tests.pipeline.predict import photos

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'


def black_png(width: int, height: int) -> bytes:
    """Compresses to next to nothing."""
    data = io.BytesIO()
    Image.new("1", (width, height)).save(data, "PNG")
    return data.getvalue()


def multipart(filename: str) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="photo"; filename="{filename}"\r\n\r\n'
    return head.encode() + black_png(8, 8) + b"\r\n--b--\r\n"


# By name: what writes it, and what the answer says.
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text.jpg": (lambda file: file.write_text("Dear diary"), "not an image"),
    "empty.jpg": (lambda file: file.touch(), "empty file"),
    "script.svg": (lambda file: file.write_bytes(SVG), "not an image"),
    "page.html": (lambda file: file.write_text("<!doctype html><script>alert(1)</script>"), "not an image"),
    "form": (lambda file: file.write_bytes(multipart("../../../pushed/1/saved_model.pb")), "not an image"),
    "wide.png": (lambda file: file.write_bytes(black_png(9000, 9000)), "9000 x 9000 pixels (width x height); at most"),
    "truncated.jpg": (odd_images.UNREADABLE["truncated.jpg"][0], "damaged: image file is truncated"),
    "bomb.png": (odd_images.UNREADABLE["bomb.png"][0], "exceeds limit of 178956970 pixels"),
    "scan.tiff": (odd_images.COLOUR["scan.tiff"], "not an image"),
    "vector.eps": (odd_images.UNREADABLE["vector.eps"][0], "not an image"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_an_answer(demo: Demo, tmp_path: Path, name: str) -> None:
    write, reason = BAD[name]
    write(tmp_path / name)
    before = sorted(demo.root.rglob("*"))
    answer = demo.upload((tmp_path / name).read_bytes())
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert sorted(demo.root.rglob("*")) == before
    assert demo.is_up()


def test_too_many_bytes_are_refused_before_they_arrive(demo: Demo) -> None:
    connection = http.client.HTTPConnection(urlsplit(demo.url).netloc, timeout=20)
    connection.putrequest("POST", "/photos?member=Ada")
    connection.putheader("Content-Length", str(MAX_BYTES + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)) == (413, {"error": "This is larger than 25 MB."})


def test_too_many_bytes_that_were_not_declared_are_refused(demo: Demo) -> None:
    def endless() -> Iterator[bytes]:
        yield from (b"x" * 1_000_000 for _ in range(MAX_BYTES // 1_000_000 + 1))

    assert demo.upload(endless()).status_code == 413
    assert demo.is_up()


def test_fifty_at_once_all_get_an_answer(demo: Demo, tmp_path: Path) -> None:
    odd_images.COLOUR["plain.jpg"](tmp_path / "plain.jpg")
    good = (tmp_path / "plain.jpg").read_bytes()
    large = black_png(4000, 3000)
    bodies = [good if index % 5 else (large if index % 2 else b"no photo") for index in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(demo.upload, bodies))
    assert [answer.status_code for answer in answers] == [422 if body == b"no photo" else 201 for body in bodies]
    assert demo.is_up()


def test_what_is_shown_is_made_anew(demo: Demo, tmp_path: Path) -> None:
    photo = photos.landscape(Image.fromarray(odd_images.picture()))
    photos.write_turned_jpeg(photo, tmp_path / "phone.jpg")
    answer = demo.upload((tmp_path / "phone.jpg").read_bytes(), member="Grace")
    assert answer.status_code == 201
    message = answer.json()
    assert message["member"] == "Grace"
    assert message["text"].startswith("Grace uploaded a photo")
    shown = httpx.get(f"{demo.url}thumbnails/{message['id']}")
    assert shown.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(shown.content)) as thumbnail:
        assert thumbnail.size == (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS * 3 // 4)  # upright
        assert not thumbnail.getexif()
    assert b"Exif" not in shown.content


class Counting(ModelReloader):
    """Has no model, and counts how many photos are decoded and wait for one."""

    def __init__(self, pushed: Path) -> None:
        super().__init__(pushed, lambda status: None)
        self.now = self.most = 0

    def first_model(self, timeout_seconds: float) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.05)
        self.now -= 1


@pytest.mark.parametrize(("larger", "most"), [(0, 2), (1, 1)])
def test_a_large_photo_is_decoded_while_no_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, larger: int, most: int
) -> None:
    monkeypatch.setattr(uploads, "LARGE_PIXELS", 100 * 100 - larger)
    reloader = Counting(tmp_path)

    async def send_all() -> None:
        few = Uploads(reloader)

        async def send(side: int) -> None:
            await few.receive(chunks(black_png(side, side)), None)

        async with anyio.create_task_group() as group:
            for side in (100, 100, 100) + (8,) * larger:
                group.start_soon(send, side)

    with start_blocking_portal() as portal:
        portal.call(send_all)
    assert reloader.most == most


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def stalled() -> AsyncIterator[bytes]:
    yield b"a photo's first byte"
    await anyio.sleep_forever()


def test_no_more_than_so_many_at_a_time(tmp_path: Path) -> None:
    async def fill() -> None:
        few = Uploads(ModelReloader(open_registry(tmp_path), lambda status: None))
        async with anyio.create_task_group() as group:
            for _ in range(MOST_UPLOADS):
                group.start_soon(few.receive, stalled(), None)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RefusedError, match="64 photos are on their way already") as refused:
                await few.receive(stalled(), None)
            assert refused.value.status == 503
            group.cancel_scope.cancel()

    with start_blocking_portal() as portal:
        portal.call(fill)
