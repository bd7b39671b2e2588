"""Keys that can sign are read; all others are refused with what was found and what is expected, and without a path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from components.component import ComponentError
from components.registry.signing_keys import (
    KEY_BYTES,
    PASSPHRASE,
    is_readable_by_others,
    key_fingerprint,
    read_private_key,
    read_public_key,
)
from tests.components.registry.keys import write_private_key, write_public_key


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_both_halves_of_a_key_are_read(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    public = read_public_key(write_public_key(tmp_path / "public", key))
    assert read_private_key(write_private_key(tmp_path / "private", key)).public_key() == public == key.public_key()


def test_the_fingerprint_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = write_public_key(tmp_path / "public", key)
    assert key_fingerprint(key.public_key()) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_passphrase_opens_an_encrypted_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = write_private_key(tmp_path / "private", key, passphrase="hush")
    with pytest.raises(ComponentError, match=f"encrypted. Set {PASSPHRASE} to its passphrase"):
        read_private_key(file)
    monkeypatch.setenv(PASSPHRASE, "wrong")
    with pytest.raises(ComponentError, match=f"encrypted, and {PASSPHRASE} does not open it"):
        read_private_key(file)
    monkeypatch.setenv(PASSPHRASE, "hush")
    assert read_private_key(file).public_key() == key.public_key()
    assert read_private_key(write_private_key(file, key)).public_key() == key.public_key()  # which needs no passphrase


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RSA"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
    ],
)
def test_a_key_of_another_kind_is_refused(tmp_path: Path, make: Callable[[], PrivateKeyTypes], kind: str) -> None:
    key = make()
    with pytest.raises(ComponentError, match=f"of another kind, {kind}. Expected a private key on the .* P-256"):
        read_private_key(write_private_key(tmp_path / "private", key))
    with pytest.raises(ComponentError, match=f"of another kind, {kind}. Expected a public key on the .* P-256"):
        read_public_key(write_public_key(tmp_path / "public", key))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ComponentError, match=r"The file holds no private key. Expected"):
        read_private_key(tmp_path / "key")
    with pytest.raises(ComponentError, match=r"The file holds (no public|a private) key. Expected"):
        read_public_key(tmp_path / "key")


def test_the_wrong_half_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ComponentError, match=r"holds a private key. Expected a public key .* `openssl pkey -in"):
        read_public_key(write_private_key(tmp_path / "private", key))
    with pytest.raises(ComponentError, match=r"holds no private key. Expected a private key"):
        read_private_key(write_public_key(tmp_path / "public", key))


def test_what_is_no_file_of_a_key_is_refused_without_its_path(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(KEY_BYTES + 1))
    for name in ("missing", "pipe", "large", ".", "null\0"):
        with pytest.raises(ComponentError, match=r"There is no file|is larger than 65536 bytes") as refusal:
            read_private_key(tmp_path / name)
        assert str(tmp_path) not in str(refusal.value)


def test_a_key_that_others_can_read_is_known(tmp_path: Path) -> None:
    file = write_private_key(tmp_path / "private")
    assert not is_readable_by_others(file)
    file.chmod(0o644)
    assert is_readable_by_others(file)
