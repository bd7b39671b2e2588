"""Reads the keys of signatures: on the elliptic curves P-256, P-384 and P-521, each in a PEM file.

Errors name no path: they get into the records of runs, and where somebody keeps a key is nobody else's business.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.component import ComponentError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PASSPHRASE = "PIPELINE_SIGNING_PASSPHRASE"  # the name of an environment variable
CURVES = ("secp256r1", "secp384r1", "secp521r1")  # those that the format of the signature knows
KEY_BYTES = 1 << 16  # more is no key
EXPECTED = {
    "private": "a private key on the elliptic curve P-256, P-384 or P-521 in a PEM file, as `openssl genpkey "
    "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE` makes one",
    "public": "a public key on the elliptic curve P-256, P-384 or P-521 in a PEM file, as `openssl pkey -in "
    "PRIVATE_KEY -pubout -out FILE` makes one",
}


def read_private_key(path: Path) -> EllipticCurvePrivateKey:
    """Returns the private key in a file; if it is encrypted, `PIPELINE_SIGNING_PASSPHRASE` opens it.

    Raises ComponentError if the file cannot be read, or holds no private key of such a kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path, "private")
    passphrase = os.fsencode(os.environ.get(PASSPHRASE, "")) if b"ENCRYPTED" in data else None
    if passphrase == b"":
        raise ComponentError(f"The private key is encrypted. Set {PASSPHRASE} to its passphrase")
    try:
        key: Any = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if passphrase:
            raise ComponentError(f"The private key is encrypted, and {PASSPHRASE} does not open it") from None
        raise ComponentError(f"The file holds no private key. Expected {EXPECTED['private']}") from None
    _check_kind(key, "private")
    return key


def read_public_key(path: Path) -> EllipticCurvePublicKey:
    """Returns the public key in a file. Raises ComponentError if the file cannot be read, or holds no such key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path, "public")
    try:
        key: Any = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        found = "a private key" if b"PRIVATE KEY" in data else "no public key"
        raise ComponentError(f"The file holds {found}. Expected {EXPECTED['public']}") from None
    _check_kind(key, "public")
    return key


def key_fingerprint(key: EllipticCurvePublicKey) -> str:
    """Returns the SHA-256 of a public key's PEM file, in hexadecimal: what `sha256sum` says of that file."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_readable_by_others(path: Path) -> bool:
    """Returns whether other users of this machine may read the file."""
    return bool(path.stat().st_mode & 0o044)


def _read(path: Path, half: str) -> bytes:
    try:
        if not path.is_file():  # a pipe would wait for a writer
            raise ComponentError(f"There is no file. Expected {EXPECTED[half]}")
        with path.open("rb") as file:
            data = file.read(KEY_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ComponentError(f"The file cannot be read: {reason}. Expected {EXPECTED[half]}") from None
    if len(data) > KEY_BYTES:
        raise ComponentError(f"The file is larger than {KEY_BYTES} bytes. Expected {EXPECTED[half]}")
    return data


def _check_kind(key: Any, half: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) and key.curve.name in CURVES:
        return
    kind = key.curve.name if hasattr(key, "curve") else re.sub("(Private|Public)Key$", "", type(key).__name__)
    raise ComponentError(f"The key is of another kind, {kind}. Expected {EXPECTED[half]}")
