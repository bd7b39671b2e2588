"""`python -m pipeline.lineage --verify`, as people and programs read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from components.registry.layout import EXTRA
from components.registry.signature import sign
from components.registry.signing_keys import key_fingerprint
from components.registry.staging import write_provenance
from pipeline.lineage import main
from tests.components.registry.keys import write_private_key, write_public_key

KEY = ec.generate_private_key(ec.SECP256R1())
FINGERPRINT = key_fingerprint(KEY.public_key())


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "pushed" / "1"
    (folder / EXTRA).mkdir(parents=True)
    (folder / "saved_model.pb").write_text("a")
    write_provenance(folder, "an identity", {"model_digest": "0123456789abcdef"})
    return folder


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return write_public_key(tmp_path / "public.pem", KEY)


def test_an_unsigned_version_is_unchanged_and_nothing_is_proven(
    version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(version), "--verify"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(version),
        "  signed by      nobody",
        "  unchanged: all 1 files are as they were pushed; who pushed them is not proven",
    ]


def test_a_signed_version_is_verified_through_a_link(
    version: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign(version, KEY)
    (version.parent / "latest").symlink_to("1")
    assert main(["--verify", str(version.parent / "latest"), f"--public_key={public}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(version),
        f"  signed by      {FINGERPRINT}, the key that was given",
        "  verified: all 2 files are those that the owner of the key signed",
    ]
    assert main(["--verify", str(version)]) == 0
    assert f"{FINGERPRINT}, it says; who signed it is not proven without --public_key" in capsys.readouterr().out


def test_every_difference_is_told_and_is_exit_code_1(
    version: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign(version, KEY)
    (version / "saved_model.pb").write_text("b")
    (version / "a\nb\x1b[2J").touch()
    assert main(["--verify", str(version), f"--public_key={public}"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        r"  added          'a\nb\x1b[2J'",
        "  changed        saved_model.pb",
        f"  signed by      {FINGERPRINT}, the key that was given",
        "  NOT VERIFIED: these are not the files that were pushed",
    ]
    assert main(["--verify", str(version), "--output=json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "path": str(version),
        "verified": False,
        "signed_by": FINGERPRINT,
        "proven": False,
        "fault": "",
        "file_count": 2,
        "differences": {"a\nb\x1b[2J": "added", "saved_model.pb": "changed"},
    }


def test_a_key_that_did_not_sign_is_exit_code_1(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_public_key(tmp_path / "other.pem", ec.generate_private_key(ec.SECP384R1()))
    for told in ("there is no signature", f"it is signed with the key {FINGERPRINT}, expected "):
        assert main(["--verify", str(version), f"--public_key={other}"]) == 1
        out = capsys.readouterr().out
        assert f"  fault          {told}" in out
        assert "  NOT VERIFIED: nothing proves that these are the files that were pushed" in out
        sign(version, KEY)


def test_what_cannot_be_verified_is_refused(
    version: Path, tmp_path: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rsa_file = write_public_key(tmp_path / "rsa.pem", rsa.generate_private_key(65537, 2048))
    private = write_private_key(tmp_path / "private.pem", KEY)
    for arguments, reason in (
        (["--verify", str(version.parent)], "is no published version: it has neither assets.extra/provenance.json nor"),
        (["--verify", str(tmp_path / "nothing")], f"There is nothing at {tmp_path / 'nothing'}."),
        (
            ["--verify", str(version), "--public_key=none.pem"],
            "--public_key=none.pem: There is no file. Expected a pub",
        ),
        (["--verify", str(version), f"--public_key={rsa_file}"], "The key is of another kind, RSA."),
        (["--verify", str(version), f"--public_key={private}"], "The file holds a private key."),
        ([str(version), f"--public_key={public}"], "--public_key is for --verify, which is not given."),
    ):
        assert main(arguments) == 2
        assert reason in capsys.readouterr().err


def test_a_copy_is_verified_without_tensorflow(version: Path, public: Path) -> None:
    sign(version, KEY)
    code = (
        "import sys; from pipeline.lineage import main; code = main(sys.argv[1:]); "
        "sys.exit(code or any(name in sys.modules for name in ('tensorflow', 'numpy', 'apache_beam')))"
    )
    arguments = ["--verify", str(version), f"--public_key={public}"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
