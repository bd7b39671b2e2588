"""Serves what a page needs to caption photos by itself: LiteRT's WebAssembly, and the published LiteRT file.

The page itself may compile no WebAssembly: only its worker may.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from components.nouns import with_article
from components.registry.layout import EXTRA, MODEL_CARD
from pipeline.demo.model_reloader import ModelReloader
from pipeline.predict.served import Card
from pipeline.web.request_guard import HEADERS
from pipeline.web.requests import RefusedError

HERE = Path(__file__).parent
VARIANT = "litert"  # equal to the model up to rounding, as litert_int8 is not
POLICY = "Content-Security-Policy"
WORKER_POLICY = HEADERS[POLICY].replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
MODULE = "core/dist/index.js"
NAME, ADDRESS = b'"@litertjs/wasm-utils"', b'"../../wasm-utils/dist/index.js"'  # browsers know modules by address


class CardFile(BaseModel):
    """A file that a model card describes."""

    file: str
    variant: str


class DeviceCard(Card):
    """The part of a model card that captions on a device need."""

    files: tuple[CardFile, ...] = ()


class OnDevice:
    """The handlers of requests for what a page needs to caption photos by itself."""

    def __init__(self, packages: Path, pushed: Path, reloader: ModelReloader) -> None:
        """Takes the folder of the npm packages, the published versions, and what knows which of them answers."""
        self._litert = packages / "node_modules" / "@litertjs"
        self._pushed, self._reloader = pushed, reloader
        self._fetched = (self._litert / MODULE).is_file()

    def routes(self) -> list[BaseRoute]:
        """Returns the routes, for a mount of their own. LiteRT is among them if it is there already."""
        routes: list[BaseRoute] = [
            Route("/worker.js", self.worker),
            Route("/model", self.describe),
            Route("/models/{version:int}", self.model),
        ]
        if self._fetched:
            routes.append(Route(f"/litert/{MODULE}", self.module))
            routes.append(Mount("/litert", StaticFiles(directory=self._litert)))
        return routes

    def worker(self, request: Request) -> Response:
        """Returns the script that classifies photos beside the page."""
        return FileResponse(HERE / "assets" / "worker.js", headers={POLICY: WORKER_POLICY})

    def module(self, request: Request) -> Response:
        """Returns LiteRT's module, which then finds the other one by its address."""
        return Response((self._litert / MODULE).read_bytes().replace(NAME, ADDRESS), media_type="text/javascript")

    def describe(self, request: Request) -> Response:
        """Returns what a page must know of the model that answers now. Raises RefusedError if it cannot have it."""
        if not self._fetched:
            raise RefusedError(404, "The server has no LiteRT: run `make on-device`, and start it again.")
        if (model := self._reloader.model) is None:
            raise RefusedError(404, "No version of the model answers yet.")
        file = self._file(model.version)
        names = model.card.class_names
        about = {
            "version": model.version,
            "file": f"models/{model.version}",
            "bytes": file.stat().st_size,
            "height": model.card.image_height,
            "width": model.card.image_width,
            "class_names": names,
            "nouns": [with_article(name) for name in names],
            "confidence": model.confidence,
        }
        return JSONResponse(about)

    def model(self, request: Request) -> Response:
        """Returns the LiteRT file of a version; status 304 if the browser has it."""
        content = self._file(request.path_params["version"]).read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="application/octet-stream", headers=headers)

    def _file(self, version: int) -> Path:
        """Returns the LiteRT file of a version. Raises RefusedError if there is none."""
        folder = self._pushed / str(version)
        try:
            card = DeviceCard.model_validate_json((folder / MODEL_CARD).read_bytes())
        except (OSError, ValidationError):
            raise RefusedError(404, f"Version {version} of the model cannot be read.") from None
        name = next((each.file for each in card.files if each.variant == VARIANT), None)
        if name is None:
            raise RefusedError(
                404, f"Version {version} has no LiteRT file: push one with `{VARIANT}` in push.variants."
            )
        file = folder / EXTRA / Path(name).name
        if not file.is_file():
            raise RefusedError(404, f"{name} is missing in version {version}. Push it again.")
        return file
