"""The names below `pushed/`. No other module spells them.

<root>/pushed/<version>/                                what TensorFlow Serving loads: saved_model.pb, variables/, ...
<root>/pushed/<version>/assets.extra/                   what it passes by: the files for phones, and
<root>/pushed/<version>/assets.extra/model_card.json    how well each file does, and what a client must know
<root>/pushed/<version>/assets.extra/provenance.json    how the version came to be, with every file's SHA-256
<root>/pushed/latest                                    a link to the highest version
<root>/pushed/best                                      a link to the most accurate one, of those with its classes
<root>/pushed/pinned/<version>                          an empty file: this version is kept whatever comes
<root>/pushed/withdrawn/<version>/                      a version that was taken back
<root>/pushed/.staging-<host>-<uuid>/                   a version in the making, or what a killed push left
<root>/pushed/.lock                                     held by whoever changes more than one of these
"""

from __future__ import annotations

from pathlib import Path

PUSHED = "pushed"
EXTRA = "assets.extra"
MODEL_CARD = f"{EXTRA}/model_card.json"
PROVENANCE = f"{EXTRA}/provenance.json"
LATEST = "latest"
BEST = "best"
PINNED = "pinned"
WITHDRAWN = "withdrawn"
STAGING_PREFIX = ".staging-"
LOCK = ".lock"


def pushed_folder(root: Path) -> Path:
    """Returns the folder of all published versions of a root."""
    return root / PUSHED


def version_folder(root: Path, number: int) -> Path:
    """Returns the folder of one published version of a root, whether it is there or not."""
    return pushed_folder(root) / str(number)
