"""Defines the names below `pushed/`. No other module spells them.

<root>/pushed/<version>/                                what TensorFlow Serving loads: saved_model.pb, variables/, ...
<root>/pushed/<version>/assets.extra/                   what TensorFlow Serving ignores: the files for phones, and
<root>/pushed/<version>/assets.extra/model_card.json    how well each file does, and what a client must know
<root>/pushed/<version>/assets.extra/model_card.md      the same for people, as is model_card.html
<root>/pushed/<version>/assets.extra/mistakes/          the pictures of model_card.md
<root>/pushed/<version>/assets.extra/tf_serving_warmup_requests   what TensorFlow Serving asks itself first
<root>/pushed/<version>/assets.extra/provenance.json    how the version was made, with every file's SHA-256
<root>/pushed/<version>/assets.extra/model.sig          who signed all other files of the version, if a key was given
<root>/pushed/latest                                    a link to the highest version
<root>/pushed/best                                      a link to the most accurate version with the latest's classes
<root>/pushed/pinned/<version>                          an empty file: this version is never cleaned up
<root>/pushed/withdrawn/<version>/                      a version that was withdrawn
<root>/pushed/.staging-<host>-<uuid>/                   a version that is being built, or the rest of a killed push
<root>/pushed/.lock                                     held by a process that changes more than one of these

In object storage, where nothing is linked, renamed or locked:

<url>/pushed/latest, best                               small objects that hold the number of a version
<url>/pushed/withdrawn/<version>                        an object: the version is withdrawn, and stays in its place
<url>/pushed/claims/<version>                           an object: somebody publishes, or has, under this number
<url>/pushed/identities/<identity>                      an object: the number under which this is published, and the
                                                        provenance of that version
"""

from __future__ import annotations

from pathlib import Path

PUSHED = "pushed"
EXTRA = "assets.extra"
MODEL_CARD = f"{EXTRA}/model_card.json"
CARD_FOR_PEOPLE = f"{EXTRA}/model_card"  # .md and .html
MISTAKES = "mistakes"  # below EXTRA
WARM_UP = f"{EXTRA}/tf_serving_warmup_requests"  # TensorFlow Serving's own name
PROVENANCE = f"{EXTRA}/provenance.json"
SIGNATURE = f"{EXTRA}/model.sig"  # the usual name of the format
LATEST = "latest"
BEST = "best"
PINNED = "pinned"
WITHDRAWN = "withdrawn"
CLAIMS = "claims"
IDENTITIES = "identities"
STAGING_PREFIX = ".staging-"
LOCK = ".lock"
_MOST_DIGITS = 18


def version_number(name: str) -> int | None:
    """Returns the number of the version whose folder or object has this name; None if the name is no number.

    "007" is none: it would be another name of 7. Nor is what is too large for TensorFlow Serving.
    """
    is_number = name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS and name == str(int(name))
    return int(name) if is_number else None


def pushed_folder(root: Path) -> Path:
    """Returns the folder of all published versions of a root."""
    return root / PUSHED


def is_pushed(place: str) -> bool:
    """Returns whether a place relative to the root is that of a published version."""
    return place.startswith(f"{PUSHED}/")


def version_folder(root: Path, number: int) -> Path:
    """Returns the folder of one published version of a root, whether it is there or not."""
    return pushed_folder(root) / str(number)
