"""Whoever changes a version, its list of files or its signature is found out, and no link leads out of it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from components.registry.integrity import check_version
from components.registry.layout import PROVENANCE, SIGNATURE
from components.registry.signature import sign
from components.registry.signing_keys import key_fingerprint
from components.registry.staging import write_provenance

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key()
MODEL, WEIGHTS = "saved_model.pb", "variables/variables.index"


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "1"
    for name in (MODEL, WEIGHTS, "assets.extra/model_card.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    write_provenance(folder, "an identity", {"model_digest": "0123456789abcdef"})
    return folder


@pytest.fixture
def signed(version: Path) -> Path:
    sign(version, KEY)
    return version


def test_a_version_without_a_signature_is_as_it_was_pushed(version: Path) -> None:
    found = check_version(version)
    assert (found.verified, found.proven, found.signed_by, found.files) == (True, False, "", 3)
    found = check_version(version, PUBLIC)
    assert not found.verified
    assert found.fault == f"there is no signature, expected one of the key {key_fingerprint(PUBLIC)}"


def test_a_signature_proves_who_pushed_a_version_wherever_it_lies(signed: Path, tmp_path: Path) -> None:
    found = check_version(shutil.copytree(signed, tmp_path / "a copy" / "of it"), PUBLIC)
    assert (found.verified, found.proven, found.signed_by) == (True, True, key_fingerprint(PUBLIC))
    assert found.files == 4  # with the provenance
    found = check_version(signed)
    assert (found.verified, found.proven, found.signed_by) == (True, False, key_fingerprint(PUBLIC))


def test_the_signature_of_somebody_else_proves_nothing(version: Path) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    sign(version, stranger)
    found = check_version(version, PUBLIC)
    assert not found.verified
    assert found.fault == (
        f"it is signed with the key {key_fingerprint(stranger.public_key())}, expected {key_fingerprint(PUBLIC)}, the "
        "key that was given"
    )
    bundle = json.loads((version / SIGNATURE).read_bytes())
    bundle["verificationMaterial"]["publicKey"]["hint"] = key_fingerprint(PUBLIC)
    (version / SIGNATURE).write_text(json.dumps(bundle))
    found = check_version(version, PUBLIC)
    assert not found.proven
    assert "model.sig was changed: the signature does not fit what it lists" in found.fault


def _swap_for_link(version: Path) -> None:
    (version / MODEL).rename(version.parent / "elsewhere")
    (version / MODEL).symlink_to(version.parent / "elsewhere")  # with the same bytes, as yet


def _swap_folder_for_link(version: Path) -> None:
    (version / "variables").rename(version.parent / "elsewhere")
    (version / "variables").symlink_to(version.parent / "elsewhere")


def _swap_for_pipe(version: Path) -> None:
    (version / MODEL).unlink()
    os.mkfifo(version / MODEL)


@pytest.mark.parametrize(
    ("change", "differences"),
    [
        (lambda it: (it / MODEL).write_text("another"), {MODEL: "changed"}),
        (lambda it: (it / WEIGHTS).unlink(), {WEIGHTS: "missing"}),
        (lambda it: (it / "assets.extra" / "new").touch(), {"assets.extra/new": "added"}),
        (lambda it: (it / os.fsdecode(b"\xff")).touch(), {"\\udcff": "added"}),
        (lambda it: (it / "empty").mkdir(), {}),
        (_swap_for_link, {MODEL: "no plain file"}),
        (_swap_folder_for_link, {"variables": "no plain file", WEIGHTS: "missing"}),
        (_swap_for_pipe, {MODEL: "no plain file"}),
        (lambda it: (it / WEIGHTS).rename(it / "moved"), {"moved": "added", WEIGHTS: "missing"}),
    ],
)
def test_each_file_that_differs_is_named(
    signed: Path, change: Callable[[Path], object], differences: dict[str, str]
) -> None:
    change(signed)
    assert check_version(signed).differences == differences
    found = check_version(signed, PUBLIC)
    assert (found.differences, found.fault, found.verified) == (differences, "", not differences)
    (signed / SIGNATURE).unlink()
    assert check_version(signed).differences == differences  # from what the provenance lists


def test_a_list_that_is_changed_to_suit_the_files_is_found_out(signed: Path) -> None:
    (signed / MODEL).write_text("another")
    provenance = json.loads((signed / PROVENANCE).read_bytes())
    del provenance["files"]
    (signed / PROVENANCE).write_text(json.dumps(provenance))
    write_provenance(signed, "an identity", provenance)
    assert check_version(signed, PUBLIC).differences == {PROVENANCE: "changed", MODEL: "changed"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "JSONDecodeError|Expecting"),
        (b"[]", "TypeError"),
        (b'{"files": {"a": 1}}', "TypeError"),
        (b'{"files": {"../../etc/passwd": {"sha256": "0"}}}', "is no path within a version"),
        (b'{"files": "\xff"}', "decode"),
        (b"[" * 100_000, "RecursionError"),
    ],
)
def test_a_damaged_provenance_is_no_list(version: Path, content: bytes, reason: str) -> None:
    (version / PROVENANCE).write_bytes(content)
    found = check_version(version)
    assert not found.verified
    assert re.match(rf"assets\.extra/provenance\.json is damaged: .*({reason})", found.fault)


def test_a_name_that_is_no_text_is_escaped(version: Path) -> None:
    (version / PROVENANCE).write_text(r'{"files": {"\ud800": {"sha256": "0"}}}')
    assert check_version(version).differences[r"\ud800"] == "missing"


def test_a_damaged_signature_is_told_beside_what_differs_from_the_provenance(signed: Path) -> None:
    (signed / SIGNATURE).write_text("{}")
    (signed / MODEL).write_text("another")
    found = check_version(signed)
    assert found.fault == "assets.extra/model.sig is damaged: KeyError: 'dsseEnvelope'"
    assert found.differences == {MODEL: "changed"}
    (signed / PROVENANCE).unlink()
    assert check_version(signed).fault.endswith("assets.extra/provenance.json is damaged: it is missing")
