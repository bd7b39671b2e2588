from __future__ import annotations

import json
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from pipeline.demo import chat as rooms
from pipeline.demo.chat import KEPT_MESSAGES, WAITING_EVENTS, ChatRoom, Listener, Photo

PHOTO = Photo(b"jpeg", "image/jpeg", 4, 3, (("frog", 0.9),), "frog", 7)


async def heard(listener: Listener) -> list[tuple[str, Any]]:
    """(kind, data) of all that waits, up to the end."""
    listener.end()
    found = []
    async for event in listener.events():
        fields = dict(line.split(": ", 1) for line in event.strip().splitlines())
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def hear(listener: Listener) -> list[tuple[str, Any]]:
    # Its own thread: a test with a browser leaves an event loop running in this one.
    with start_blocking_portal() as portal:
        return portal.call(heard, listener)


def test_all_pages_hear_of_members_and_messages() -> None:
    room = ChatRoom()
    with room.listening("Grace", after=0) as grace, room.listening("Ada", after=0):
        room.post("Ada", "Hello")
    events = hear(grace)
    assert [data for kind, data in events if kind == "members"] == [["Grace"], ["Ada", "Grace"], ["Grace"]]
    (said,) = [data for kind, data in events if kind == "message"]
    assert (said["member"], said["text"], said["photo"]) == ("Ada", "Hello", None)


def test_a_page_that_comes_back_gets_what_it_missed() -> None:
    room = ChatRoom()
    first, second = room.post("Ada", "one"), room.post("Ada", "two")
    assert second.id > first.id
    with room.listening("Grace", after=first.id) as listener:
        pass
    assert [data["text"] for kind, data in hear(listener) if kind == "message"] == ["two"]


def test_numbers_rise_over_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ChatRoom().post("Ada", "before").id
    later = rooms.datetime.datetime.now(rooms.datetime.timezone.utc) + rooms.datetime.timedelta(seconds=1)

    class Later(rooms.datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return later

    monkeypatch.setattr(rooms.datetime, "datetime", Later)
    assert ChatRoom().post("Ada", "after").id > before


def test_what_is_kept_is_bounded() -> None:
    room = ChatRoom()
    first = room.post("Ada", "a photo", PHOTO)
    assert room.photo(first.id) == PHOTO
    for number in range(KEPT_MESSAGES):
        room.post("Ada", str(number))
    assert room.photo(first.id) is None
    with room.listening("Grace", after=0) as listener:
        pass
    assert sum(kind == "message" for kind, _ in hear(listener)) == KEPT_MESSAGES


def test_a_page_that_does_not_read_is_cut_off() -> None:
    room = ChatRoom()
    with room.listening("Slow", after=0) as listener:
        for number in range(3 * WAITING_EVENTS):
            room.post("Ada", str(number))
        assert len(hear(listener)) == WAITING_EVENTS


def test_pages_are_not_sent_the_bytes_of_photos() -> None:
    public = ChatRoom().post("Ada", "a photo", PHOTO).public()
    assert json.loads(json.dumps(public))["photo"] == {
        "width": 4, "height": 3, "probabilities": [["frog", 0.9]], "named": "frog", "version": 7,
    }  # fmt: skip
