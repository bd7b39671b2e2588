"""The chat room: its members, its messages, and the pages that listen. It lives in memory and is bounded.

All of it runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

KEPT_MESSAGES = 200
MOST_LISTENERS = 200
WAITING_EVENTS = 2 * KEPT_MESSAGES  # a page that is this far behind is disconnected, and connects again
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True)
class Photo:
    """The part of an upload that is kept: a small copy, and the model's prediction."""

    thumbnail: bytes
    media_type: str
    width: int  # pixels, of the thumbnail
    height: int
    probabilities: tuple[tuple[str, float], ...]  # the most likely classes first; empty without a model
    named: str | None  # the class in the caption
    version: int | None


@dataclass(frozen=True)
class Message:
    """One message of the chat."""

    id: int
    sent: str  # ISO 8601, UTC
    member: str | None  # None for a message of the room itself
    text: str
    photo: Photo | None = None

    def public(self) -> dict[str, Any]:
        """Returns the message as pages get it: without the thumbnail's bytes, which have an address of their own."""
        fields = asdict(self)
        if fields["photo"]:
            del fields["photo"]["thumbnail"], fields["photo"]["media_type"]
        return fields


class Listener:
    """An open page that listens to the room."""

    def __init__(self, member: str) -> None:
        self.member = member
        self._events: asyncio.Queue[str | None] = asyncio.Queue(WAITING_EVENTS + 1)  # None: the end

    def hear(self, event: str) -> None:
        """Queues an event. A page that does not keep up is disconnected."""
        if self._events.qsize() < WAITING_EVENTS:
            self._events.put_nowait(event)
        else:
            self.end()

    def end(self) -> None:
        """Ends the stream after the events that are queued."""
        if not self._events.full():
            self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[str]:
        """Yields events as text, and an empty one every 15 seconds, which detects a closed connection."""
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), HEARTBEAT_SECONDS)
            except asyncio.TimeoutError:
                event = ": still here\n\n"
            if event is None:
                return
            yield event


class ChatRoom:
    """The chat room: its members, its messages and the state of the model."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque(maxlen=KEPT_MESSAGES)
        self._listeners: list[Listener] = []
        self._model: dict[str, Any] = {}
        # Numbers go on rising when the server is restarted, because pages remember the last one they have seen.
        self._ids = itertools.count(int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000))

    def post(self, member: str | None, text: str, photo: Photo | None = None) -> Message:
        """Adds a message, sends it to all pages, and returns it. Beyond 200 messages the oldest is dropped."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        message = Message(next(self._ids), now, member, text, photo)
        self._messages.append(message)
        self._broadcast(_message_event(message))
        return message

    def show_model(self, status: dict[str, Any]) -> None:
        """Sets the status of the model and sends it to all pages."""
        self._model = status
        self._broadcast(_event("model", status))

    def photo(self, message_id: int) -> Photo | None:
        """Returns the photo of a message, or None if it has none or is no longer kept."""
        return next((message.photo for message in self._messages if message.id == message_id), None)

    @property
    def is_full(self) -> bool:
        """True if no more pages can be opened."""
        return len(self._listeners) >= MOST_LISTENERS

    @contextmanager
    def listening(self, member: str, after: int) -> Iterator[Listener]:
        """Registers a page until the block ends. It gets the messages after the number `after`, and all new events."""
        listener = Listener(member)
        listener.hear(_event("model", self._model))
        for message in self._messages:
            if message.id > after:
                listener.hear(_message_event(message))
        self._listeners.append(listener)
        self._tell_members()
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            self._tell_members()

    def close(self) -> None:
        """Ends the streams of all pages."""
        for listener in self._listeners:
            listener.end()

    def _tell_members(self) -> None:
        members = sorted({listener.member for listener in self._listeners}, key=str.casefold)
        self._broadcast(_event("members", members))

    def _broadcast(self, event: str) -> None:
        for listener in self._listeners:
            listener.hear(event)


def _message_event(message: Message) -> str:
    return f"id: {message.id}\n" + _event("message", message.public())


def _event(kind: str, data: Any) -> str:
    """Returns an event in the format of server-sent events. Its JSON has no line breaks."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
