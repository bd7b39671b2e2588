"""Signatures are those of OpenSSF's model signing, prove who signed what, and no damaged one is taken for one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from components.registry.layout import PROVENANCE, SIGNATURE
from components.registry.signature import DOCUMENT_BYTES, ensure_signed, read_signature, sign
from components.registry.signing_keys import key_fingerprint
from components.registry.staging import write_provenance

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP521R1())


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "1"
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("a")
    write_provenance(folder, "an identity", {"model_digest": "0123456789abcdef"})
    return folder


def test_the_statement_lists_every_file_and_the_provenance(version: Path) -> None:
    sign(version, KEY)
    signature = read_signature(version)
    assert signature is not None
    digests = {
        name: hashlib.sha256((version / name).read_bytes()).hexdigest() for name in (PROVENANCE, "saved_model.pb")
    }
    assert signature.files == digests
    statement = json.loads(signature.payload)
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    together = b"".join(map(bytes.fromhex, digests.values()))
    assert statement["subject"] == [
        {"name": "model 0123456789ab", "digest": {"sha256": hashlib.sha256(together).hexdigest()}}
    ]


def test_the_bundle_is_verified_as_the_format_says(version: Path) -> None:
    sign(version, KEY)
    bundle = json.loads((version / SIGNATURE).read_bytes())
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {
        "publicKey": {"hint": key_fingerprint(KEY.public_key())},
        "tlogEntries": [],
    }
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    (each,) = bundle["dsseEnvelope"]["signatures"]
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    KEY.public_key().verify(base64.b64decode(each["sig"]), signed, ec.ECDSA(hashes.SHA256()))  # or InvalidSignature


@pytest.mark.parametrize("key", [KEY, OTHER, ec.generate_private_key(ec.SECP384R1())])
def test_a_signature_fits_the_key_that_made_it_alone(version: Path, key: ec.EllipticCurvePrivateKey) -> None:
    sign(version, key)
    signature = read_signature(version)
    assert signature is not None
    assert signature.fits(key.public_key())
    assert not signature.fits(ec.generate_private_key(key.curve).public_key())


def test_a_version_is_signed_once_with_each_key(version: Path) -> None:
    ensure_signed(version, KEY)
    first = (version / SIGNATURE).read_bytes()
    ensure_signed(version, KEY)
    assert (version / SIGNATURE).read_bytes() == first
    ensure_signed(version, OTHER)
    signature = read_signature(version)
    assert signature is not None
    assert signature.fits(OTHER.public_key())


def test_a_damaged_signature_is_replaced(version: Path) -> None:
    (version / SIGNATURE).write_text("{")
    ensure_signed(version, KEY)
    assert read_signature(version) is not None


def test_a_version_without_a_signature_has_none(tmp_path: Path) -> None:
    assert read_signature(tmp_path) is None
    (tmp_path / "assets.extra").write_text("a file")
    assert read_signature(tmp_path) is None


def _with(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Returns a change of the statement in a bundle."""

    def changed(bundle: dict[str, Any]) -> None:
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        change(statement)
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    return changed


def _name(name: Any) -> Callable[[dict[str, Any]], None]:
    return _with(lambda statement: statement["predicate"]["resources"][0].update(name=name))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_name("../../etc/passwd"), "'../../etc/passwd' is no path within a version"),
        (_name("/etc/passwd"), "'/etc/passwd' is no path within a version"),
        (_name("variables//a"), "is no path within a version"),
        (_name("saved_model.pb"), "named twice"),
        (_name(7), "TypeError"),
        (_with(lambda it: it["predicate"]["resources"].pop()), "the digest of all files is not that"),
        (_with(lambda it: it["predicate"].update(resources=5)), "TypeError"),
        (_with(lambda it: it["predicate"]["resources"][0].update(algorithm="md5")), "without its SHA-256"),
        (_with(lambda it: it.update(predicateType="https://slsa.dev/provenance/v1")), "another format: .*slsa"),
        (lambda bundle: bundle["dsseEnvelope"].update(payload="?"), "Error"),
        (lambda bundle: bundle["dsseEnvelope"].update(signatures=[]), "not enough values"),
        (lambda bundle: bundle["verificationMaterial"]["publicKey"].update(hint="\x1b[2J"), "no fingerprint of a key"),
        (lambda bundle: bundle.pop("dsseEnvelope"), "KeyError"),
    ],
)
def test_a_signature_of_another_shape_is_refused(
    version: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    sign(version, KEY)
    bundle = json.loads((version / SIGNATURE).read_bytes())
    change(bundle)
    (version / SIGNATURE).write_text(json.dumps(bundle))
    with pytest.raises(ValueError, match=reason):
        read_signature(version)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe\x00", b"[" * 100_000, b'{"mediaType": 1}'])
def test_a_file_that_is_no_signature_is_refused(version: Path, content: bytes) -> None:
    (version / SIGNATURE).write_bytes(content)
    with pytest.raises(ValueError, match="Error"):
        read_signature(version)


def test_a_huge_signature_and_a_link_are_not_read(version: Path, tmp_path: Path) -> None:
    with (version / SIGNATURE).open("wb") as file:
        file.truncate(DOCUMENT_BYTES + 1)
    with pytest.raises(ValueError, match="67108865 bytes; expected at most 67108864"):
        read_signature(version)
    (version / SIGNATURE).unlink()
    (version / SIGNATURE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="no plain file"):
        read_signature(version)
