"""Compares the files of a version with those that were pushed: which were changed, are missing, or were added.

It needs the version's folder alone, wherever that lies, and follows no link in it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.files import digest_file
from components.registry.layout import PROVENANCE, SIGNATURE
from components.registry.signature import Signature, check_paths, read_document, read_signature
from components.registry.signing_keys import key_fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

NO_FILE = "no plain file"


@dataclass(frozen=True)
class Integrity:
    """What is known of a version's bytes."""

    files: int  # that were pushed
    differences: Mapping[str, str]  # by path: "changed", "missing", "added", or that it is no plain file
    signed_by: str  # the fingerprint of the key that the signature names; empty if there is none, or none to be read
    proven: bool  # whether the signature was made with the given key
    fault: str  # why the signature, or the list of files, does not hold; empty if it does

    @property
    def verified(self) -> bool:
        """Whether the bytes are those that were pushed, and, if a key was given, signed with it."""
        return not self.differences and not self.fault


def check_version(version: Path, key: EllipticCurvePublicKey | None = None) -> Integrity:
    """Compares a version with the list in its signature; if it has none, with the list in its provenance.

    With a public key, the signature must be there and fit. Raises OSError if a file cannot be read.
    """
    try:
        signature = read_signature(version)
        fault = "" if key is None else _fault(signature, key)
    except ValueError as error:
        signature, fault = None, f"{SIGNATURE} is damaged: {error}"
    try:
        recorded = _pushed_files(version) if signature is None else signature.files
    except ValueError as error:
        return Integrity(0, {}, "", False, "; ".join(filter(None, (fault, f"{PROVENANCE} is damaged: {error}"))))
    unlisted = {SIGNATURE} if signature else {SIGNATURE, PROVENANCE}
    return Integrity(
        files=len(recorded),
        differences={_told(name): what for name, what in sorted(_differences(version, recorded, unlisted))},
        signed_by=signature.key_fingerprint if signature else "",
        proven=key is not None and not fault,
        fault=fault,
    )


def _fault(signature: Signature | None, key: EllipticCurvePublicKey) -> str:
    """Returns why the signature does not prove that the owner of the key signed the version; empty if it does."""
    given = key_fingerprint(key)
    if signature is None:
        return f"there is no signature, expected one of the key {given}"
    if signature.key_fingerprint != given:
        return f"it is signed with the key {signature.key_fingerprint}, expected {given}, the key that was given"
    return "" if signature.fits(key) else f"{SIGNATURE} was changed: the signature does not fit what it lists"


def _pushed_files(version: Path) -> dict[str, str]:
    """Returns the SHA-256 by path of the files that provenance lists. Raises ValueError if it is damaged or missing."""
    try:
        files = json.loads(read_document(version / PROVENANCE))["files"]
        recorded = {name: file["sha256"] for name, file in files.items()}
        check_paths(recorded)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError("it is missing") from None
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return recorded


def _differences(version: Path, recorded: Mapping[str, str], unlisted: set[str]) -> Iterator[tuple[str, str]]:
    found = set()
    for path in _paths(version):
        name = path.relative_to(version).as_posix()
        found.add(name)
        if not stat.S_ISREG(path.lstat().st_mode):
            yield name, NO_FILE
        elif name not in recorded:
            if name not in unlisted:
                yield name, "added"
        elif digest_file(path) != recorded[name]:
            yield name, "changed"
    yield from ((name, "missing") for name in recorded if name not in found)


def _paths(folder: Path) -> Iterator[Path]:
    """Yields all that lies below a folder but true folders; a link to a folder is not followed."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    yield Path(entry.path)


def _told(name: str) -> str:
    """Returns a name that somebody else gave as it can be written: what is no text in it is escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
