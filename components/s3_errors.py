"""Says in one line why a request to S3 failed, and what to do about it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

_RIGHTS = "The credentials do not allow it: give them the right, or give others"
_KEYS = "Check the credentials, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_ENDED = "The credentials have ended: renew them. The same command goes on from what is done"
_ADVICE = {
    "AccessDenied": _RIGHTS,
    "403": _RIGHTS,
    "InvalidAccessKeyId": _KEYS,
    "InvalidToken": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "ExpiredToken": _ENDED,
    "TokenRefreshRequired": _ENDED,
    "NoSuchBucket": "Check its name, and the address of the server, AWS_ENDPOINT_URL",
    "NotImplemented": "The server does not offer it: object storage needs conditional writes",
}
_OTHER_REGION = (
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
    "PermanentRedirect",
)
_WRONG_CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
_ADVICE_OF_TYPES = {
    "NoCredentialsError": "Give them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PartialCredentialsError": _KEYS,
    "EndpointConnectionError": "Does the server run? AWS_ENDPOINT_URL is its address",
    "EndpointResolutionError": "AWS_ENDPOINT_URL must look like http://HOST:PORT",
    "ConnectTimeoutError": "Does the server run? AWS_ENDPOINT_URL is its address",
}


@contextlib.contextmanager
def as_os_error(what: str) -> Iterator[None]:
    """Raises errors of the client as OSError: `what` failed, why, and what to do if that is known."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        said = " ".join(str(error).split()).rstrip(".:")
        reason = ". ".join(filter(None, (f"{what}: {said}", _advice(error))))
        raise OSError("".join(map(_shown, reason))) from error


def _shown(character: str) -> str:
    """Returns a character, or what stands for one that a terminal would obey: objects may have it in their names."""
    return character if character.isprintable() else f"\\x{ord(character):02x}"


def _advice(error: BaseException) -> str:
    """Returns what to do about an error, or about the one that it came from; empty if nothing is known."""
    response = getattr(error, "response", None)
    if response is None:
        known = _ADVICE_OF_TYPES.get(type(error).__name__, "")
        cause = error.__cause__ or error.__context__
        return known or (_advice(cause) if cause is not None else "")
    code = str(response.get("Error", {}).get("Code", ""))
    if code in _OTHER_REGION:
        return _other_region(response)
    if code in _WRONG_CLOCK:
        return f"This machine's clock says {formatdate(usegmt=True)}: set it"
    return _ADVICE.get(code, "")


def _other_region(response: dict[str, Any]) -> str:
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or response["Error"].get("Region")
    asked = os.environ.get("AWS_DEFAULT_REGION") or "none"
    where = f", {region}" if region else ""
    return f"The bucket lies in another region{where}: AWS_DEFAULT_REGION is {asked}"
