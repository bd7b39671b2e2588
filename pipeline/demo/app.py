"""The web application of the chat: one page, a stream of events, and requests for messages and photos."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from components.registry.registry import Registry
from pipeline.demo.chat import KEPT_MESSAGES, MOST_LISTENERS, ChatRoom
from pipeline.demo.model_reloader import ModelReloader, Status
from pipeline.demo.on_device import OnDevice
from pipeline.demo.uploads import MAX_BYTES, Uploads
from pipeline.predict.caption import caption
from pipeline.web import SHARED_ASSETS
from pipeline.web.request_guard import RequestGuard
from pipeline.web.requests import REFUSALS, RefusedError, declared_bytes, read_json
from pipeline.web.trusted import Trusted

HERE = Path(__file__).parent
NAME_CHARACTERS = 40
TEXT_CHARACTERS = 2000
MESSAGE_BYTES = 16_000
EXAMPLE = '{"member": "Ada", "text": "Hello"}'
# Control characters, unpaired surrogates, and characters that change the direction of the text that follows.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def make_app(registry: Registry, trusted: Trusted, packages: Path) -> Starlette:
    """Returns the chat's application, which serves the versions of a root to requests that name a trusted host.

    `packages` is the folder of the npm packages for captions on the device. The chat room is `app.state.room`.
    """
    room = ChatRoom()
    chat = Chat(room, registry)
    on_device = OnDevice(packages, registry.folder, chat.reloader)
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/events", chat.events),
            Route("/messages", chat.say, methods=["POST"]),
            Route("/photos", chat.upload, methods=["POST"]),
            Route("/thumbnails/{message_id:int}", chat.thumbnail),
            Mount("/on-device", routes=on_device.routes()),
            Mount("/assets", StaticFiles(directory=HERE / "assets")),
            Mount("/shared", StaticFiles(directory=SHARED_ASSETS)),
        ],
        middleware=[Middleware(RequestGuard, trusted=trusted)],
        exception_handlers=REFUSALS,
        lifespan=chat.lifespan,
    )
    app.state.room = room
    return app


class Chat:
    """The handlers of the chat's requests, with the room and the model that they use."""

    def __init__(self, room: ChatRoom, registry: Registry) -> None:
        self._room = room
        self._loop: asyncio.AbstractEventLoop | None = None
        self.reloader = ModelReloader(registry, self._tell)
        self._uploads = Uploads(self.reloader)
        self._version: int | None = None  # the version that the room was told of last

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Runs the model's reloader from the start of the server to its end."""
        self._loop = asyncio.get_running_loop()
        self.reloader.start()
        yield
        self.reloader.stop()

    async def events(self, request: Request) -> Response:
        """Returns the stream of events for a page, for as long as the page is open."""
        member = clean(request.query_params.get("member"), NAME_CHARACTERS, "member")
        seen = request.query_params.get("after", ""), request.headers.get("last-event-id", "")
        after = max((int(text) for text in seen if re.fullmatch("[0-9]{1,20}", text)), default=0)
        if self._room.is_full:
            raise RefusedError(503, f"{MOST_LISTENERS} pages are open already.")

        async def stream() -> AsyncIterator[str]:
            with self._room.listening(member, after) as listener:
                async for event in listener.events():
                    yield event

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def say(self, request: Request) -> Response:
        """Posts a text message. The request's body is JSON: {"member": …, "text": …}."""
        given = await read_json(request, MESSAGE_BYTES, EXAMPLE)
        try:
            member, text = given["member"], given["text"]
        except (KeyError, TypeError):
            raise RefusedError(400, f"Expected JSON: {EXAMPLE}.") from None
        message = self._room.post(clean(member, NAME_CHARACTERS, "member"), clean(text, TEXT_CHARACTERS, "text"))
        return JSONResponse(message.public(), status_code=201)

    async def upload(self, request: Request) -> Response:
        """Posts a photo. The request's body is the file's bytes; a name or type in the request does not matter."""
        member = clean(request.query_params.get("member"), NAME_CHARACTERS, "member")
        photo = await self._uploads.receive(request.stream(), declared_bytes(request))
        message = self._room.post(member, caption(member, photo.named), photo)
        return JSONResponse(message.public(), status_code=201)

    async def thumbnail(self, request: Request) -> Response:
        """Returns the small copy of a photo."""
        photo = self._room.photo(request.path_params["message_id"])
        if photo is None:
            raise RefusedError(404, "This photo is no longer kept.")
        lasting = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(photo.thumbnail, media_type=photo.media_type, headers=lasting)

    def _tell(self, status: Status) -> None:
        """Passes the model's status on to the event loop. The reloader calls this on its own thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._show, status)

    def _show(self, status: Status) -> None:
        self._room.show_model(status._asdict())
        if self._version not in (None, status.version):
            self._room.post(None, f"Version {status.version} of the model answers from here on.")
        self._version = status.version


def clean(text: Any, most_characters: int, what: str) -> str:
    """Returns text from a person as one line of printable characters. Raises RefusedError if it is empty or too long.

    `what` names the text in the error.
    """
    if not isinstance(text, str):
        raise RefusedError(400, f"{what} is missing.")
    line = " ".join(UNSEEN.sub(" ", text).split())
    if not 1 <= len(line) <= most_characters:
        raise RefusedError(400, f"{what}: expected 1 to {most_characters} characters, found {len(line)}.")
    return line


async def _page(request: Request) -> Response:
    environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html.j2").render(
        max_bytes=MAX_BYTES, name_characters=NAME_CHARACTERS, text_characters=TEXT_CHARACTERS,
        kept_messages=KEPT_MESSAGES,
    )  # fmt: skip
    return HTMLResponse(page)
