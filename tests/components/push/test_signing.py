"""What is published is signed if there is a key, and only what has to tell which key it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.push import Push, PushConfig
from components.registry.integrity import check_version
from components.registry.layout import SIGNATURE
from components.registry.signing_keys import key_fingerprint, read_private_key
from tests.components.registry.keys import write_private_key


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_private_key(tmp_path / "where-the-key-is.pem")


def _push(key_file: Path | None = None) -> Push:
    return Push(PushConfig(variants=(), measured_runs=0, signing_key=str(key_file) if key_file else None))


def test_a_version_appears_signed(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, key_file: Path
) -> None:
    published = _push(key_file).run(workspace, tiny, model, evaluation)
    assert published.version_directory is not None
    assert check_version(published.version_directory, read_private_key(key_file).public_key()).verified
    told = [path for path in workspace.root.rglob("*") if path.is_file() and b"where-the-key-is" in path.read_bytes()]
    assert told == []


def test_a_version_that_was_published_without_a_key_is_signed_where_it_is(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, key_file: Path, tmp_path: Path
) -> None:
    first = _push().run(workspace, tiny, model, evaluation)
    assert first.version_directory is not None
    assert not (first.version_directory / SIGNATURE).exists()
    (tmp_path / "again").mkdir()
    again = dataclasses.replace(workspace, folder=tmp_path / "again")
    assert _push(key_file).run(again, tiny, model, evaluation).version_directory == first.version_directory
    assert check_version(first.version_directory, read_private_key(key_file).public_key()).verified


def test_another_key_is_a_reason_to_run_and_no_part_of_the_identity(key_file: Path, tmp_path: Path) -> None:
    with_key, without = _push(key_file), _push()
    assert with_key.identity() == without.identity()
    fingerprint = key_fingerprint(read_private_key(key_file).public_key())
    assert without.fingerprint(tmp_path, {}) == ""
    assert with_key.fingerprint(tmp_path, {}) == f"signed with {fingerprint}"


def test_the_plan_tells_the_key_and_that_others_can_read_it(key_file: Path) -> None:
    fingerprint = key_fingerprint(read_private_key(key_file).public_key())
    assert _push().describe({}) == ""
    assert _push(key_file).describe({}) == f"signed with the key {fingerprint[:12]}"
    key_file.chmod(0o640)
    assert _push(key_file).describe({}).endswith("; other users of this machine can read it: chmod 600")


def test_a_key_that_cannot_sign_is_refused_by_the_plan_without_its_path(tmp_path: Path) -> None:
    write_private_key(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate())
    for name, reason in (("none.pem", "There is no file"), ("key.pem", "The key is of another kind, Ed25519")):
        with pytest.raises(ComponentError, match=rf"^push\.signing_key: {reason}\. Expected .*\.$") as refusal:
            _push(tmp_path / name).fingerprint(tmp_path, {})
        assert name not in str(refusal.value)


def test_a_version_names_machines_if_the_config_asks_for_it() -> None:
    assert not Push(PushConfig()).names_machines
    assert Push(PushConfig(name_machines=True)).names_machines
