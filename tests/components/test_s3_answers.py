"""What servers answer to `components.s3_requests` that moto does not."""

from __future__ import annotations

import time

import pytest

from components import object_storage, s3_requests
from components.object_storage import RemoteFolder, no_file_reason
from tests.canned_server import Answer, answering, refusal

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>
<EncodingType>url</EncodingType><Contents><Key>{}</Key><Size>3</Size><ETag>"e"</ETag>
<LastModified>{}</LastModified></Contents></ListBucketResult>"""


def listed(key: str, modified: str = "2026-11-27T21:00:00.000Z") -> Answer:
    return Answer(200, PAGE.format(key, modified).encode(), (("Content-Type", "application/xml"),))


@pytest.mark.parametrize(
    ("key", "name"), [("a+b.jpg", "a b.jpg"), ("a%2Bb.jpg", "a+b.jpg"), ("a%20%C3%BC%0A.jpg", "a ü\n.jpg")]
)
def test_names_are_decoded_as_amazon_encodes_them(key: str, name: str) -> None:
    with answering(listed(f"data/{key}")):
        ((found, size, modified_ns),) = RemoteFolder("s3://line/data").files()
    assert (found, size, modified_ns // 10**9) == (name, 3, 1795813200)


def test_a_name_that_the_server_cannot_tell_is_that_of_no_file() -> None:
    assert no_file_reason("a/ctl\ufffd.jpg") == "a character in its name that the server does not tell"
    assert no_file_reason("a/ü\x01.jpg") is None


def test_a_listing_without_times_is_an_error() -> None:
    with answering(listed("data/a", "")), pytest.raises(OSError, match="lists objects in XML that cannot be read"):
        RemoteFolder("s3://line/data").files()


def test_an_object_that_is_there_and_is_not_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (s3_requests, object_storage):
        monkeypatch.setattr(module, "CLASH_SECONDS", 0.2)
    answers = {"PUT": refusal(412, "PreconditionFailed"), "GET": refusal(404, "NoSuchKey")}
    with answering(lambda method, _: answers[method]):
        with pytest.raises(OSError, match=r"it is there and is not\. Do removed versions count there"):
            RemoteFolder("s3://line/data").create("a", b"a")
        with pytest.raises(OSError, match="cannot be changed: it is another one at each try"):
            RemoteFolder("s3://line/data").update("a", lambda _: b"a")


def test_the_clock_is_that_of_the_server() -> None:
    for ahead_seconds in (-3600, 0, 3600):
        with answering(refusal(403, "AccessDenied"), ahead_seconds):
            assert 0 <= RemoteFolder("s3://line/data").seconds_now - time.time() - ahead_seconds < 60
