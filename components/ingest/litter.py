"""Tells what lies beside photos from photos, by name: what systems, phones and tools leave behind."""

from __future__ import annotations

import functools
from operator import itemgetter

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".webp",
    ".avif",
    ".heic",
    ".heif",
    ".jp2",
    ".j2k",
    ".ppm",
    ".pgm",
    ".pbm",
)
_SUFFIXES_OF_IMAGES = frozenset(IMAGE_SUFFIXES)
_MARKS = frozenset(".$@#_")  # with which names of litter begin, if they may end as an image does
_VIDEO_SUFFIXES = (
    ".3gp",
    ".avi",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".mts",
    ".webm",
    ".wmv",
)
# Notes and data, such as the edits of an iPhone (.aae) and what Google Takeout tells of a photo (.json).
_DATA_SUFFIXES = (
    ".aae",
    ".csv",
    ".doc",
    ".docx",
    ".html",
    ".json",
    ".md",
    ".pdf",
    ".tsv",
    ".txt",
    ".xls",
    ".xlsx",
    ".xml",
    ".xmp",
    ".yaml",
    ".yml",
    ".zip",
)
_OF_SYSTEMS = frozenset(
    {
        ".appledouble",
        ".directory",
        ".documentrevisions-v100",
        ".ds_store",
        ".fseventsd",
        ".localized",
        ".nomedia",
        ".picasa.ini",
        ".picasaoriginals",
        ".spotlight-v100",
        ".temporaryitems",
        ".trash",
        ".trashes",
        ".volumeicon.icns",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@tmp",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "picasa.ini",
        "system volume information",
        "thumbs.db",
    }
)
_PREFIXES_OF_SYSTEMS = ("._", ".trashed-", ".pending-", ".trash-", ".nfs0", ".fuse_hidden", ".smbdelete")
_OF_TOOLS = frozenset(
    {
        ".cache",
        ".config",
        ".dropbox",
        ".dropbox.cache",
        ".dvc",
        ".git",
        ".github",
        ".hg",
        ".huggingface",
        ".idea",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".stfolder",
        ".stversions",
        ".svn",
        ".sync",
        ".thumbnails",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "node_modules",
    }
)


def litter_kind(name: str, *, is_folder: bool) -> str | None:
    """Returns who left a file or folder of this name behind; None if it may be, or hold, a photo.

    A hidden folder of no known name may be a class, such as `.22`; a hidden file is litter.
    """
    lower = name.casefold()
    if lower in _OF_SYSTEMS or lower.startswith(_PREFIXES_OF_SYSTEMS):
        return "made by a system"
    if lower in _OF_TOOLS:
        return "made by a tool"
    return "hidden" if name.startswith(".") and not is_folder else None


def is_litter_path(name: str) -> bool:
    """Returns whether a file's relative path, with slashes, is that of litter, or leads through a folder of it."""
    folder, _, file = name.rpartition("/")
    return _is_in_litter(folder) or (not is_plainly_an_image(file) and bool(litter_kind(file, is_folder=False)))


@functools.lru_cache
def _is_in_litter(folder: str) -> bool:
    return any(litter_kind(each, is_folder=True) for each in folder.split("/"))


def no_image_kind(name: str) -> str | None:
    """Returns what a file of this name is, if its suffix says that it is no image; else None."""
    lower = name.lower()
    if lower.endswith(_VIDEO_SUFFIXES):
        return "a video"
    return "notes or data" if lower.endswith(_DATA_SUFFIXES) else None


def is_plainly_an_image(name: str) -> bool:
    """Returns whether a name with an image's suffix in small letters begins as no litter does: it is soon told."""
    return name[:1] not in _MARKS and name[name.rfind(".") :] in _SUFFIXES_OF_IMAGES


def are_plainly_images(names: list[str]) -> bool:
    """Returns whether `is_plainly_an_image` is true of each of some names, which is soon told of many."""
    if not names or not _MARKS.isdisjoint(map(itemgetter(0), names)):
        return False
    joined, left = "\0".join([*names, ""]), len(names)
    for suffix in IMAGE_SUFFIXES:
        left -= joined.count(f"{suffix}\0")
        if not left:
            return True
    return False


def is_image_name(name: str) -> bool:
    """Returns whether a file of this name is not hidden and has the suffix of an image."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)
