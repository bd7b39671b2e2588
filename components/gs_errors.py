"""Says in one line why a request to Google Cloud Storage failed, and what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_GIVE = "`gcloud auth application-default login` makes some, or GOOGLE_APPLICATION_CREDENTIALS names a file with them"
_ENDED = "Renew the credentials. The same command goes on from what is done"
_ADVICE = {
    "DefaultCredentialsError": _GIVE,
    "Forbidden": "The credentials do not allow it: give them the right, or give others",
    "NotFound": "Check the name of the bucket",
    "RefreshError": _ENDED,
    "RetryError": "Does the server run? STORAGE_EMULATOR_HOST is its address, if it is not Google's",
    "Unauthorized": _GIVE,
}


@contextlib.contextmanager
def as_os_error(what: str) -> Iterator[None]:
    """Raises errors of the client as OSError: `what` failed, why, and what to do if that is known."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption
    from requests.exceptions import RequestException

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, DataCorruption, RequestException) as error:
        said = " ".join(str(error).split()).rstrip(".:")
        raise OSError(". ".join(filter(None, (f"{what}: {said}", _ADVICE.get(type(error).__name__))))) from error
