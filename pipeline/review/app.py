"""The web application of the review: one page, its pictures, and requests that ask for findings and decide them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from components.component import ComponentError
from components.corrections_file import ADD, OF_PAIRS, find_file
from pipeline.review.decisions import Decisions, kinds_for
from pipeline.review.opening import KIND_NAMES, UNLABELED, Item, Review
from pipeline.review.pictures import small_copy
from pipeline.review.queue import Filter, Queue
from pipeline.web import SHARED_ASSETS
from pipeline.web.request_guard import RequestGuard
from pipeline.web.requests import REFUSALS, RefusedError, read_json
from pipeline.web.trusted import Trusted

HERE = Path(__file__).parent
BODY_BYTES = 16_000
PERSON_CHARACTERS = 64
EXAMPLE = '{"findings": "...", "item": 0, "decision": "label", "label": "cat", "picture": 0}'
DECODING_THREADS = 2

Answer = TypeVar("Answer")


def make_app(review: Review, trusted: Trusted) -> Starlette:
    """Returns the application, which reviews the findings for requests that name a trusted host."""
    handlers = _Handlers(review)
    return Starlette(
        routes=[
            Route("/", handlers.page),
            Route("/next", handlers.next),
            Route("/items/{number:int}", handlers.item),
            Route("/pictures/{number:int}/{picture:int}", handlers.picture),
            Route("/decisions", handlers.decide, methods=["POST"]),
            Route("/undo", handlers.undo, methods=["POST"]),
            Mount("/assets", StaticFiles(directory=HERE / "assets")),
            Mount("/shared", StaticFiles(directory=SHARED_ASSETS)),
        ],
        middleware=[Middleware(RequestGuard, trusted=trusted)],
        exception_handlers=REFUSALS,
    )


class _Handlers:
    """The handlers of the page's requests, with the findings and the decisions that they use."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._decisions = Decisions(review.corrections, review.folder)
        self._queue = Queue(review, self._decisions)
        self._threads = anyio.CapacityLimiter(DECODING_THREADS)

    async def page(self, request: Request) -> Response:
        """Returns the page."""
        templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
        found = {item.kind for item in self._review.items}
        kinds = [(kind, name) for kind, name in KIND_NAMES.items() if kind in found]
        page = templates.get_template("page.html.j2").render(review=self._review, kinds=kinds)
        return HTMLResponse(page)

    async def next(self, request: Request) -> Response:
        """Returns the next undecided finding, the one after it, and how much is left."""
        asked = request.query_params
        chosen = Filter(asked.get("kind", ""), asked.get("label", ""))
        after = int(asked["after"]) if re.fullmatch("[0-9]{1,9}", asked.get("after", "")) else -1
        numbers, progress = await _on_a_thread(
            self._queue.next, asked.get("person", "")[:PERSON_CHARACTERS], chosen, after
        )
        shown = [await _on_a_thread(self._public, number) for number in numbers]
        return JSONResponse({"items": shown, **progress._asdict()})

    async def item(self, request: Request) -> Response:
        """Returns one finding, decided or not."""
        number = self._number(request.path_params["number"])
        return JSONResponse(await _on_a_thread(self._public, number))

    async def picture(self, request: Request) -> Response:
        """Returns a small copy of a photo."""
        item = self._review.items[self._number(request.path_params["number"])]
        path = find_file(self._review.folder, item.files[_index(request.path_params["picture"], item)])
        data, media_type = await anyio.to_thread.run_sync(small_copy, path, limiter=self._threads)
        return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=3600"})

    async def decide(self, request: Request) -> Response:
        """Notes a decision. The request's body is JSON; the answer is the finding as it is then."""
        given = await self._given(request)
        number = self._number(given.get("item"))
        await _on_a_thread(self._decide, self._review.items[number], given)
        return JSONResponse(await _on_a_thread(self._public, number), status_code=201)

    async def undo(self, request: Request) -> Response:
        """Takes the newest decision about a finding back. The request's body is JSON, with `findings` and `item`."""
        given = await self._given(request)
        number = self._number(given.get("item"))
        if not await _on_a_thread(self._decisions.undo, self._review.items[number]):
            raise RefusedError(409, "There is no decision about this finding to take back.")
        return JSONResponse(await _on_a_thread(self._public, number), status_code=201)

    async def _given(self, request: Request) -> dict[str, Any]:
        given = await read_json(request, BODY_BYTES, EXAMPLE)
        if not isinstance(given, dict):
            raise RefusedError(400, f"Expected JSON: {EXAMPLE}.")
        if given.get("findings") != self._review.digest:
            raise RefusedError(409, "The server shows other findings now. Load the page again.")
        return given

    def _number(self, number: Any) -> int:
        if type(number) is not int or not 0 <= number < len(self._review.items):
            raise RefusedError(404, f"There is no finding {number}.")
        return number

    def _decide(self, item: Item, given: dict[str, Any]) -> None:
        self._decisions.refresh()
        decision, label = given.get("decision"), given.get("label", "")
        if decision not in kinds_for(item):
            raise RefusedError(400, f"decision: expected {', '.join(kinds_for(item))}, found {decision!r}.")
        if decision == "label" and label not in self._review.class_names:
            near = difflib.get_close_matches(str(label), self._review.class_names, 3, 0.5)
            hint = f" Is {' or '.join(near)} meant?" if near else ""
            raise RefusedError(400, f"{str(label)[:100]!r} is no class.{hint}")
        why = f"{item.kind}: {item.reason}"
        if decision in OF_PAIRS:
            left = [name for name in item.files if not self._decisions.is_left_out(name)]
            first, *others = left if len(left) > 1 else item.files
            self._decisions.decide(others, decision, other=first, why=why)
            return
        picture = _index(given.get("picture", 0), item)
        before = self._decisions.of_file(item.files[picture])
        if decision == "keep" and before and before.label == item.labels[picture]:
            decision, label = "label", before.label  # the label that is kept is one that somebody gave
        named = label if decision == "label" else ""
        decision = ADD if named and item.kind == UNLABELED else decision
        self._decisions.decide([item.files[picture]], decision, label=named, why=why)

    def _public(self, number: int) -> dict[str, Any]:
        """Returns a finding as pages get it."""
        item = self._review.items[number]
        self._decisions.refresh()
        photos = []
        for picture, (file, label, split) in enumerate(zip(item.files, item.labels, item.splits, strict=True)):
            decided = self._decisions.of_file(file)
            photos.append(
                {
                    "picture": f"pictures/{number}/{picture}?{_version(find_file(self._review.folder, file))}",
                    "file": file,
                    "label": label,
                    "split": split,
                    "decision": decided.decision if decided else "",
                    "new_label": decided.label if decided else "",
                }
            )
        return {
            "number": number,
            "kind": item.kind,
            "kind_name": KIND_NAMES[item.kind],
            "photos": photos,
            "score": item.score,
            "better_label": item.better_label,
            "reason": item.reason,
            "decisions": kinds_for(item),
            "decided": self._decisions.is_decided(item),
            "said": self._decisions.of_pairs(item),
        }


def _version(path: Path) -> int:
    """Returns a number that is another one when the photo has changed."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _index(picture: Any, item: Item) -> int:
    if type(picture) is not int or not 0 <= picture < len(item.files):
        raise RefusedError(404, f"There is no photo {picture} in this finding.")
    return picture


def _reason(error: OSError) -> str:
    return f"{error.strerror} ({error.filename})" if error.strerror else str(error).rstrip(".")


async def _on_a_thread(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Calls a function that reads files. Raises RefusedError with what is wrong with them."""
    try:
        return await anyio.to_thread.run_sync(function, *arguments)
    except ComponentError as error:
        raise RefusedError(500, str(error)) from None
    except OSError as error:
        raise RefusedError(500, f"Nothing was noted: {_reason(error)}.") from None
