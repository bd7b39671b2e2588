"""The registry on servers that speak S3 and Google's, and fail now and then; two folders stand for two machines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.component import ComponentError
from components.object_storage import RemoteFolder
from components.registry.pointers import withdrawn
from components.registry.remote_registry import RemoteRegistry
from components.registry.staging import staging_folder, write_provenance
from components.registry.versions import numbers
from tests.components.published import publish as write_version
from tests.s3_server import S3

FAIL_EVERY = 23


class Machines:
    """Any number of machines with one bucket."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self.url = folder, url
        self.pushed = RemoteFolder(f"{url}/pushed")

    def __getitem__(self, name: str) -> RemoteRegistry:
        return RemoteRegistry(self._folder / name / "root", self.url)

    @property
    def names(self) -> set[str]:
        return {file.name for file in self.pushed.files()}


@pytest.fixture
def machines(any_url: str, tmp_path: Path) -> Machines:
    return Machines(tmp_path, any_url)


def publish(registry: RemoteRegistry, model: str, accuracy: float = 0.5, identity: str = "") -> Path:
    with staging_folder(registry.folder) as staging:
        built = write_version(staging / "built", 1, model, accuracy)
        (built / "assets.extra" / "for phones").write_text(model)
        (built / "saved_model.pb").write_text(model)
        (built / "assets.extra" / "provenance.json").unlink()
        write_provenance(built, identity or model, {"model_digest": model})
        return registry.publish(built, identity or model)


def finish(registry: RemoteRegistry, keep: int | None = None) -> None:
    registry.finish_push(keep)


def test_what_one_machine_publishes_another_one_sees_and_fetches_when_asked(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    assert publish(one, "first") == one.folder / "1"
    finish(one)
    other.refresh()
    version = other.folder / "1"
    assert sorted(path.name for path in version.rglob("*") if path.is_file()) == ["model_card.json", "provenance.json"]
    assert other.fetch_model(version) == version
    assert (version / "saved_model.pb").read_text() == "first"
    assert not (version / "assets.extra" / "for phones").exists()
    assert other.fetch(version) == version
    assert (version / "assets.extra" / "for phones").read_text() == "first"
    assert (other.folder / "latest").resolve() == version
    assert machines.pushed.read("latest") == machines.pushed.read("best") == b"1\n"


def test_the_same_is_published_once(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    publish(one, "first")
    assert publish(other, "first") == other.folder / "1"
    assert {name.split("/")[0] for name in machines.names} == {"1", "claims", "identities"}


def test_machines_that_publish_at_once_get_a_number_each(machines: Machines) -> None:
    names = ["a", "b", "c"]

    def push(model: str) -> None:
        registry = machines[model]
        publish(registry, model, accuracy=0.5 + 0.1 * names.index(model))
        finish(registry)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(push, names))
    last = machines["last"]
    last.refresh()
    assert numbers(last.folder) == [1, 2, 3]
    models = {(last.fetch(last.folder / str(number)) / "saved_model.pb").read_text() for number in (1, 2, 3)}
    assert models == set(names)
    best = (last.folder / "best").resolve().name
    assert machines.pushed.read("latest") == b"3\n"
    assert machines.pushed.read("best") == f"{best}\n".encode()


def test_machines_that_publish_the_same_at_once_publish_it_once(machines: Machines) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda name: publish(machines[name], "same"), ("one", "other")))
    last = machines["last"]
    last.refresh()
    (number,) = numbers(last.folder)
    assert {path.name for path in made} == {str(number)}


def test_a_push_that_was_killed_before_its_last_step_is_no_version_and_its_number_is_not_taken_again(
    machines: Machines,
) -> None:
    machines.pushed.write("claims/1", b"of a killed push")
    machines.pushed.write("1/saved_model.pb", b"half")
    machines.pushed.write("identities/first", b"1")
    one = machines["one"]
    assert publish(one, "first").name == "2"
    finish(one)
    other = machines["other"]
    other.refresh()
    assert numbers(other.folder) == [2]
    assert other.unfinished(idle_since=0) == []
    ((number, byte_count),) = other.unfinished(idle_since=2e9)
    assert (number, byte_count) == (1, 4 + len(b"of a killed push"))
    other.remove_unfinished(1)
    other.remove_unfinished(2)  # it is a version by now
    assert {name.split("/")[0] for name in machines.names if name[0].isdigit()} == {"2"}
    assert other.unfinished(idle_since=2e9) == []


def test_the_last_step_of_a_push_is_taken_by_whoever_publishes_the_same_next(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = RemoteFolder.create

    def stall(folder: RemoteFolder, name: str, data: bytes) -> bool:
        if name.endswith("/provenance.json"):
            raise OSError("killed here")
        return create(folder, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(RemoteFolder, "create", stall)
        with pytest.raises(OSError, match="killed here"):
            publish(machines["one"], "first")
    assert machines["watching"].find("first") is None
    assert publish(machines["other"], "first").name == "1"
    assert publish(machines["one"], "first").name == "1"
    assert {name.split("/")[0] for name in machines.names if name[0].isdigit()} == {"1"}


def test_a_push_that_is_slow_at_its_last_step_finds_it_taken(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, others = RemoteFolder.create, iter([machines["other"]])

    def be_slow(folder: RemoteFolder, name: str, data: bytes) -> bool:
        if name.endswith("/provenance.json") and (other := next(others, None)) is not None:
            assert publish(other, "first").name == "1"
        return create(folder, name, data)

    monkeypatch.setattr(RemoteFolder, "create", be_slow)
    assert publish(machines["one"], "first").name == "1"
    assert {name.split("/")[0] for name in machines.names if name[0].isdigit()} == {"1"}


def test_a_push_that_was_killed_before_the_pointers_is_finished_by_the_next_one(machines: Machines) -> None:
    publish(machines["one"], "first")
    assert machines.pushed.read("latest") is None
    other = machines["other"]
    assert publish(other, "first").name == "1"
    finish(other)
    assert machines.pushed.read("latest") == b"1\n"


def test_old_versions_are_removed_but_the_best_and_the_pinned_ones(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    for number, accuracy in enumerate((0.9, 0.1, 0.2, 0.3, 0.4), start=1):
        publish(one, f"model {number}", accuracy)
        if number == 2:
            other.pin(2)
    finish(one, keep=2)
    assert numbers(one.folder) == [1, 2, 4, 5]
    assert not any(name.startswith(("3/", "claims/3")) for name in machines.names)
    assert machines.pushed.read("best") == b"1\n"
    other.unpin(2)
    finish(other, keep=2)
    assert numbers(other.folder) == [1, 4, 5]
    assert publish(one, "model 6").name == "6"


def test_a_rollback_is_seen_everywhere_and_can_be_taken_back(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    for number in (1, 2, 3):
        publish(one, f"model {number}", number / 10)
    finish(one)
    assert other.roll_back() == 2
    one.refresh()
    assert (numbers(one.folder), withdrawn(one.folder)) == ([1, 2], [3])
    assert machines.pushed.read("latest") == machines.pushed.read("best") == b"2\n"
    assert one.roll_back(3) == 3
    other.refresh()
    assert (numbers(other.folder), withdrawn(other.folder)) == ([1, 2, 3], [])
    assert (other.fetch(other.folder / "3") / "saved_model.pb").read_text() == "model 3"
    assert one.roll_back(1) == 1
    assert publish(one, "model 4").name == "4"


def test_what_is_not_there_is_said(machines: Machines) -> None:
    one = machines["one"]
    with pytest.raises(ComponentError, match=rf"^{machines.url}/pushed has 0 version\(s\): none to go back to\.$"):
        one.roll_back()
    publish(one, "first")
    with pytest.raises(ComponentError, match=rf"^There is no version 7 in {machines.url}/pushed\. There: 1\.$"):
        one.roll_back(7)
    with pytest.raises(ComponentError, match=rf"^There is no version 7 in {machines.url}/pushed\. There: 1\.$"):
        one.pin(7)
    with pytest.raises(ComponentError, match=r"^Version 1 is not pinned\. Pinned: none\.$"):
        one.unpin(1)


def test_a_version_that_lost_an_object_is_published_again(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    publish(one, "first")
    machines.pushed.remove_file("1/saved_model.pb")
    other.refresh()
    with pytest.raises(OSError, match=r"/1 has lost 1 of its 3 files, such as saved_model\.pb\. Roll back to another"):
        other.fetch(other.folder / "1")
    assert other.find("first") is None
    assert not other.has(other.folder / "1")
    assert publish(other, "first").name == "2"


def test_damage_is_found_when_a_version_is_fetched(machines: Machines) -> None:
    publish(machines["one"], "first")
    machines.pushed.write("1/saved_model.pb", b"other")
    other = machines["other"]
    other.refresh()
    with pytest.raises(OSError, match=r"/1/saved_model\.pb is damaged: its bytes are not those that were pushed"):
        other.fetch(other.folder / "1")


def test_a_copy_of_an_earlier_bucket_is_not_taken_for_this_one(machines: Machines) -> None:
    one, other = machines["one"], machines["other"]
    publish(one, "first")
    other.refresh()
    other.fetch(other.folder / "1")
    machines.pushed.remove("")
    other.refresh()
    assert numbers(other.folder) == []
    one.refresh()
    publish(one, "second")
    other.refresh()
    assert (other.fetch(other.folder / "1") / "saved_model.pb").read_text() == "second"


def test_nothing_is_made_of_an_empty_bucket(machines: Machines, tmp_path: Path) -> None:
    machines["one"].refresh()
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_is_not_there_is_an_error(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"s3://no-such-bucket/root/pushed/claims/1 cannot be written: .*NoSuchBucket"):
        publish(RemoteRegistry(tmp_path, "s3://no-such-bucket/root"), "first")
