"""Signs a version, and reads its signature, in the format of OpenSSF's model signing.

The signature is a Sigstore bundle: an in-toto statement that lists the SHA-256 of every file, in a DSSE envelope. So
others can verify a version without this project, with `model_signing verify key` of the package model-signing.
Written after its `docs/model_signing_format.md`, version 1.1 (2025).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from components.files import digest_file, sync, write_whole
from components.registry.layout import PROVENANCE, SIGNATURE
from components.registry.signing_keys import key_fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
DOCUMENT_BYTES = 64 << 20  # of a list of files; more is no list of ours
_DAMAGES = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True)
class Signature:
    """A signature as it lies in a version. Whether it is genuine, only `fits` tells."""

    key_fingerprint: str  # of the key that it says it was made with
    files: Mapping[str, str]  # by path relative to the version, the SHA-256 that was signed
    payload: bytes
    signature: bytes

    def fits(self, key: EllipticCurvePublicKey) -> bool:
        """Returns whether the owner of this key signed these files."""
        from cryptography.exceptions import InvalidSignature

        try:
            key.verify(self.signature, _signed_bytes(self.payload), _algorithm(key))
        except InvalidSignature:
            return False
        return True


def sign(version: Path, key: EllipticCurvePrivateKey) -> None:
    """Signs the files that the version's provenance lists, and the provenance, as they were when it was written.

    Raises OSError if the provenance cannot be read, or the signature not be written.
    """
    payload = json.dumps(_statement(version), sort_keys=True).encode()
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key_fingerprint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(key.sign(_signed_bytes(payload), _algorithm(key))).decode()}],
        },
    }
    write_whole(version / SIGNATURE, json.dumps(bundle, indent=1) + "\n")
    sync(version / SIGNATURE)
    sync((version / SIGNATURE).parent)


def ensure_signed(version: Path, key: EllipticCurvePrivateKey) -> None:
    """Signs the version as `sign` does, unless it is signed with this key; a signature of another key is replaced."""
    try:
        signature = read_signature(version)
    except ValueError:
        signature = None
    if signature is None or not signature.fits(key.public_key()):
        sign(version, key)


def read_signature(version: Path) -> Signature | None:
    """Returns the signature of a version, or None if it has none. Raises ValueError if it is damaged."""
    try:
        data = read_document(version / SIGNATURE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _parse(data)
    except _DAMAGES as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def read_document(path: Path) -> bytes:
    """Returns the bytes of a list of files. Raises OSError, or ValueError if it is no plain file or far too large."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("no plain file")
    if found.st_size > DOCUMENT_BYTES:
        raise ValueError(f"{found.st_size} bytes; expected at most {DOCUMENT_BYTES}")
    return path.read_bytes()


def check_paths(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is not the path of a file within a version, such as `../../etc/passwd`."""
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.as_posix() != name:
            raise ValueError(f"{name!r:.80} is no path within a version")


def _statement(version: Path) -> dict[str, Any]:
    provenance = json.loads((version / PROVENANCE).read_bytes())
    digests = {name: file["sha256"] for name, file in provenance["files"].items()}
    files = sorted({**digests, PROVENANCE: digest_file(version / PROVENANCE)}.items())
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"model {provenance['model_digest'][:12]}", "digest": {"sha256": _digest(dict(files))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE],
            },
            "resources": [{"name": name, "algorithm": "sha256", "digest": digest} for name, digest in files],
        },
    }


def _parse(data: bytes) -> Signature:
    bundle = json.loads(data)
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    (signature,) = envelope["signatures"]
    statement = json.loads(payload)
    kinds = bundle["mediaType"], envelope["payloadType"], statement["_type"], statement["predicateType"]
    if kinds != (BUNDLE_TYPE, PAYLOAD_TYPE, STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"another format: {kinds!r:.400}")
    key = bundle["verificationMaterial"]["publicKey"]["hint"]
    if not re.fullmatch("[0-9a-f]{64}", key):
        raise ValueError(f"{key!r:.80} is no fingerprint of a key")
    return Signature(
        key_fingerprint=key,
        files=_signed_files(statement),
        payload=payload,
        signature=base64.b64decode(signature["sig"], validate=True),
    )


def _signed_files(statement: Mapping[str, Any]) -> dict[str, str]:
    (subject,) = statement["subject"]
    resources = statement["predicate"]["resources"]
    files = {each["name"]: each["digest"] for each in resources if each["algorithm"] == "sha256"}
    check_paths(files)
    if len(files) != len(resources):
        raise ValueError("a file is named twice, or without its SHA-256")
    if _digest(files) != subject["digest"]["sha256"]:
        raise ValueError("the digest of all files is not that of the files named")
    return files


def _digest(files: Mapping[str, str]) -> str:
    """Returns the SHA-256 of the files' own SHA-256, in their order."""
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in files.values())).hexdigest()


def _signed_bytes(payload: bytes) -> bytes:
    """Returns what is signed: DSSE's pre-authentication encoding, which covers the payload's type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _algorithm(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> ECDSA:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    return ECDSA({256: hashes.SHA256(), 384: hashes.SHA384()}.get(key.curve.key_size, hashes.SHA512()))
