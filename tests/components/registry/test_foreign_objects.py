"""The registry in a bucket in which others have left objects, or damaged those of a push."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.object_storage import RemoteFolder
from components.registry.layout import PROVENANCE
from components.registry.remote_registry import RemoteRegistry
from components.registry.versions import numbers
from tests.components.registry.test_remote_registry import finish, publish

FOREIGN = (
    "007/assets.extra/provenance.json",
    "7",
    "99999999999999999999/saved_model.pb",
    "3//double",
    "12 copy/saved_model.pb",
    "ü/ö",
    "claims/08",
    "claims/mine",
    "pinned/1e3",
    "withdrawn/ 9",
    "withdrawn/2/saved_model.pb",
)
DAMAGES = (b"", b"\xff\xfe\x00", b"[]", b'{"files": 3}', b'{"files": {"a": 3}}', b"[" * 100_000)


def test_what_others_have_left_is_passed_by(url: str, tmp_path: Path) -> None:
    pushed, registry = RemoteFolder(f"{url}/pushed"), RemoteRegistry(tmp_path / "one", url)
    for name in FOREIGN:
        pushed.write(name, b"x")
    registry.refresh()
    assert numbers(registry.folder) == []
    assert publish(registry, "first").name == "8"
    finish(registry, keep=1)
    assert pushed.read("latest") == b"8\n"
    assert [each.number for each in registry.unfinished(idle_since=9e9)] == [3]
    registry.remove_unfinished(3)
    assert set(FOREIGN) - {file.name for file in pushed.files()} == {"3//double"}
    assert registry.roll_back(8) == 8


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_record_is_that_of_no_version(url: str, tmp_path: Path, damage: bytes) -> None:
    one, other = RemoteRegistry(tmp_path / "one", url), RemoteRegistry(tmp_path / "other", url)
    version = publish(one, "first")
    RemoteFolder(f"{url}/pushed").write(f"1/{PROVENANCE}", damage)
    other.refresh()
    assert not other.has(other.folder / "1")
    with pytest.raises(OSError, match=r"/pushed/1 is not there, or its assets\.extra/provenance\.json is damaged"):
        other.fetch(other.folder / "1")
    assert publish(other, "first").name == "2"
    one.refresh()
    assert not one.has(version)


@pytest.mark.parametrize("damage", [b"", b"x", b"7\n", b"1\n1\n"])
def test_damaged_pointers_are_set_again(url: str, tmp_path: Path, damage: bytes) -> None:
    pushed, registry = RemoteFolder(f"{url}/pushed"), RemoteRegistry(tmp_path / "one", url)
    publish(registry, "first")
    finish(registry)
    for pointer in ("latest", "best"):
        pushed.write(pointer, damage)
    pushed.write("identities/second", b"9" * 5000)
    assert publish(registry, "second").name == "2"
    finish(registry)
    assert pushed.read("latest") == b"2\n"
    assert (pushed.read("identities/second") or b"").startswith(b"2\n")


def test_a_version_that_lost_an_object_while_it_was_published_is_not_taken_for_one(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed, registry = RemoteFolder(f"{url}/pushed"), RemoteRegistry(tmp_path / "one", url)
    claim = RemoteRegistry._claim_identity

    def clean_up(self: RemoteRegistry, identity: str, *rest: object) -> Path | None:
        pushed.remove_file("1/saved_model.pb")
        return claim(self, identity, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(RemoteRegistry, "_claim_identity", clean_up)
    with pytest.raises(OSError, match=r"/pushed/1 has lost objects while it was published, to a clean-up\? Run again"):
        publish(registry, "first")
    monkeypatch.setattr(RemoteRegistry, "_claim_identity", claim)
    registry.refresh()
    assert numbers(registry.folder) == []
    assert {file.name.split("/")[0] for file in pushed.files()} == {"identities"}
    assert publish(registry, "first").name == "1"
