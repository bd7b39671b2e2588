"""Replaces a leading `~` by the user's home folder, which the user of a container may not have."""

from __future__ import annotations

from pathlib import Path

from components import NO_HOME
from components.component import ComponentError


def expand_home(path: str | Path, setting: str) -> Path:
    """Returns the absolute path, with the home folder for a leading `~` or `~user`.

    Raises ComponentError if that folder is not known. `setting` names what to change then: "ingest.dataset".
    """
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:  # there is no such user
        expanded = Path(NO_HOME)
    if str(path).startswith("~") and expanded.is_relative_to(NO_HOME):
        raise ComponentError(
            f"{setting}: {path} begins with a home folder that is not known: HOME is not set, or this machine has no "
            f"such user. Set HOME, or set {setting} to a path that begins with /."
        )
    return expanded.absolute()
