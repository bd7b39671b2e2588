from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError

from components.object_storage import RemoteFolder
from components.s3_errors import as_os_error
from tests.canned_server import Answer, answering, refusal

OTHER_REGION = "<Region>eu-central-1</Region>"


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (refusal(403, "AccessDenied"), "The credentials do not allow it: give them the right, or give others"),
        (refusal(403, "SignatureDoesNotMatch"), "Check the credentials, such as AWS_ACCESS_KEY_ID"),
        (refusal(400, "ExpiredToken"), "The credentials have ended: renew them. The same command goes on"),
        (refusal(403, "RequestTimeTooSkewed"), " GMT: set it"),
        (refusal(501, "NotImplemented"), "The server does not offer it"),
        (refusal(400, "IllegalLocationConstraintException"), "in another region: AWS_DEFAULT_REGION is none"),
        (
            refusal(301, "PermanentRedirect", more=OTHER_REGION),
            "in another region, eu-central-1: AWS_DEFAULT_REGION is",
        ),
        (refusal(418, "Teapot"), "(Teapot) when calling the ListObjectsV2 operation: No"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.body.partition(b"<Code>")[2].partition(b"<")[0].decode(),
)
def test_why_and_what_to_do_are_said_in_one_line(answer: Answer, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with answering(answer), pytest.raises(OSError, match=r"^s3://line/data/ cannot be listed: .*") as caught:
        RemoteFolder("s3://line/data").files()
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "not-told" not in str(caught.value)


def test_a_name_that_a_terminal_would_obey_is_escaped() -> None:
    with answering(refusal(403, "AccessDenied")), pytest.raises(OSError, match=r"^s3://line/a\\x1b\[2Jü\\x0a cannot "):
        RemoteFolder("s3://line").read("a\x1b[2Jü\n")


def test_a_refused_upload_tells_as_much(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with answering(refusal(403, "AccessDenied")), pytest.raises(OSError, match=r"a\.txt cannot .*give them the right"):
        RemoteFolder("s3://line/data").upload(tmp_path, ["a.txt"])


def test_a_name_that_is_no_bucket_is_said_in_one_line() -> None:
    with answering(Answer(200)), pytest.raises(OSError, match="Invalid bucket name") as caught:
        RemoteFolder("s3://My Bucket/data").files()
    assert "\n" not in str(caught.value)


def test_credentials_that_are_not_there_are_asked_for() -> None:
    advice = r"listed: Unable to locate credentials\. Give them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$"
    with pytest.raises(OSError, match=advice), as_os_error("s3://line/data cannot be listed"):
        raise NoCredentialsError
