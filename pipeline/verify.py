"""Says whether the files of a published version are those that were pushed, and whose signature proves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Document
from components.component import ComponentError
from components.registry.integrity import Integrity, check_version
from components.registry.layout import PROVENANCE, SIGNATURE
from components.registry.signing_keys import read_public_key
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


class Verification(Document):
    """What is known of the bytes of one version."""

    path: Path
    verified: bool  # the files are those that were pushed, and, if a key was given, it signed them
    signed_by: str  # the fingerprint of the key that the signature names; empty if there is none
    proven: bool  # whether the signature was made with the key that was given
    fault: str  # why the signature or the list of files does not hold; empty if it does
    file_count: int  # of the files that were pushed
    differences: dict[str, str]  # by path: changed, missing, added, or no plain file


def verify(version: Path, public_key: Path | None = None) -> Verification:
    """Compares the files of a version with those that were pushed.

    Raises UsageError if there is no version at the path, or if the key cannot be used.
    """
    key = None if public_key is None else _read_key(public_key)
    if not any(os.path.lexists(version / each) for each in (PROVENANCE, SIGNATURE)):
        if not os.path.lexists(version):
            raise UsageError(f"There is nothing at {version}.")
        raise UsageError(
            f"{version} is no published version: it has neither {PROVENANCE} nor {SIGNATURE}. Name the folder of a "
            "version, such as pipeline_output/pushed/1, or a copy of one."
        )
    folder = version.resolve()
    found: Integrity = check_version(folder, key)
    return Verification(
        path=folder,
        verified=found.verified,
        signed_by=found.signed_by,
        proven=found.proven,
        fault=found.fault,
        file_count=found.files,
        differences=dict(found.differences),
    )


def verification_lines(found: Verification) -> Iterator[str]:
    """Yields the lines that tell people what was found, the verdict last."""
    yield str(found.path)
    for name, what in found.differences.items():
        yield f"  {what:<14} {name if name.isprintable() else ascii(name)}"
    if found.fault:
        yield f"  fault          {found.fault}"
    if found.signed_by or not found.fault:
        yield f"  signed by      {_signer(found)}"
    yield f"  {_verdict(found)}"


def _signer(found: Verification) -> str:
    if not found.signed_by:
        return "nobody"
    unproven = "it says" if found.fault else "it says; who signed it is not proven without --public_key"
    return f"{found.signed_by}, {'the key that was given' if found.proven else unproven}"


def _verdict(found: Verification) -> str:
    if found.differences:
        return "NOT VERIFIED: these are not the files that were pushed"
    if not found.verified:
        return "NOT VERIFIED: nothing proves that these are the files that were pushed"
    if found.proven:
        return f"verified: all {found.file_count} files are those that the owner of the key signed"
    return f"unchanged: all {found.file_count} files are as they were pushed; who pushed them is not proven"


def _read_key(path: Path) -> EllipticCurvePublicKey:
    try:
        return read_public_key(path)
    except ComponentError as error:
        raise UsageError(f"--public_key={path}: {error}.") from error
