from __future__ import annotations

from pathlib import Path

import pytest

from components.registry.versions import baselines, best_version, find_model, split_baselines, versions
from tests.components.published import publish


def test_where_nothing_is_published_there_is_no_baseline(tmp_path: Path) -> None:
    assert best_version(tmp_path / "pushed") is None
    assert baselines(tmp_path / "pushed", "aa") == ""


def test_the_baseline_is_the_best_and_not_the_latest(tmp_path: Path) -> None:
    for number, (digest, accuracy) in enumerate([("aa", 0.7), ("bb", 0.8), ("cc", 0.79)], start=1):
        publish(tmp_path, number, digest, accuracy)
    best = best_version(tmp_path)
    assert best is not None
    assert (best.number, best.model_digest, best.accuracy) == (2, "bb", 0.8)
    assert baselines(tmp_path, "dd") == baselines(tmp_path, None) == "bb:2"


def test_each_set_of_classes_has_a_best_version_of_its_own(tmp_path: Path) -> None:
    publish(tmp_path, 1, "aa", 0.99, class_names=("cat", "dog"))
    publish(tmp_path, 2, "bb", 0.7, class_names=("cat", "dog", "frog"))
    publish(tmp_path, 3, "cc", 0.6, class_names=("cat", "dog", "frog"))
    found = [best_version(tmp_path, names) for names in (("cat", "dog"), None, ("cat",))]
    assert [each and each.number for each in found] == [1, 2, None]
    assert [best_version(tmp_path, newest=1), best_version(tmp_path, newest=0)] == [found[0], None]
    assert baselines(tmp_path, "dd") == "aa:1 bb:1"


def test_what_is_published_keeps_the_baseline_that_it_had(tmp_path: Path) -> None:
    publish(tmp_path, 1, "aa", 0.7)
    publish(tmp_path, 2, "bb", 0.8, baseline="aa")
    publish(tmp_path, 3, "cc", 0.9, baseline="bb")
    assert [baselines(tmp_path, digest) for digest in ("aa", "bb", "cc")] == ["", "aa", "bb"]


def test_versions_that_chance_may_have_made_the_best_are_counted(tmp_path: Path) -> None:
    """The 95 % interval of 800 of 1,000 right begins at 0.7741."""
    for number, accuracy in enumerate([0.5, 0.774, 0.775, 0.8, 0.79, 0.79], start=1):
        publish(tmp_path, number, f"m{min(number, 5)}", accuracy)
    assert baselines(tmp_path, "new") == "m4:3"


@pytest.mark.parametrize("contenders", [2, 9])
def test_versions_that_were_removed_are_still_counted(tmp_path: Path, contenders: int) -> None:
    """Only three are left; the newest was judged against the best of so many."""
    publish(tmp_path, 4, "dd", 0.8)
    publish(tmp_path, 11, "kk", 0.79)
    publish(tmp_path, 12, "ll", 0.6, baseline=f"aa:30 dd:{contenders}")
    publish(tmp_path, 13, "aa", 0.9, class_names=("x", "y"))
    removed = contenders - 2
    assert split_baselines(baselines(tmp_path, "new")) == {"aa": 1, "dd": 2 + removed}


def test_a_record_without_a_count_is_of_one_version() -> None:
    assert split_baselines("aa bb:3") == {"aa": 1, "bb": 3}
    assert split_baselines("") == {}


def test_a_model_is_found_by_its_digest(tmp_path: Path) -> None:
    publish(tmp_path, 9, "aa", 0.7)
    publish(tmp_path, 10, "aa", 0.7)
    found = find_model(tmp_path, "aa")
    assert found is not None
    assert found.number == 9
    assert find_model(tmp_path, "zz") is None


def test_what_cannot_be_read_is_no_version(tmp_path: Path) -> None:
    publish(tmp_path, 1, "aa", 0.7)
    damaged = publish(tmp_path, 2, "bb", 0.9)
    (damaged / "assets.extra" / "model_card.json").write_text("{")
    (tmp_path / "3").mkdir()
    (tmp_path / ".staging-0123").mkdir()
    assert [version.number for version in versions(tmp_path)] == [1]


@pytest.mark.parametrize(
    "text", ["[]", "null", '{"model_digest": "aa", "artifacts": [1]}', '{"artifacts": {"push": 3}}']
)
def test_a_provenance_of_another_shape_is_no_version(tmp_path: Path, text: str) -> None:
    damaged = publish(tmp_path, 1, "aa", 0.9)
    (damaged / "assets.extra" / "provenance.json").write_text(text)
    assert list(versions(tmp_path)) == []
