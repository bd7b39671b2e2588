"""Finds the data without TensorFlow: at a path, or by the name of a TFDS dataset that is prepared already."""

from __future__ import annotations

import importlib.util
import json
import os
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from components.home import expand_home
from components.object_storage import is_remote

PREPARED = "dataset_info.json"  # a file in each prepared TFDS dataset
EMBEDDED = Path(__file__).parents[1] / "datasets"
_NAME = re.compile(
    r"((?P<namespace>[\w\-]+):)?(?P<name>[a-z]\w*)(/(?P<config>[\w+\-.]+))?(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?"
)
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def name_parts(dataset: str) -> re.Match[str]:
    """Returns the groups `namespace`, `name`, `config` and `version` of a TFDS name.

    Raises ValueError if it is none.
    """
    parts = _NAME.fullmatch(dataset)
    if parts is None:
        raise ValueError(
            f'"{dataset}" is neither a TFDS name ("cifar10", "ns:name/config:1.0.0") '
            'nor a path ("/photos", "./photos", "~/photos", "./photos.csv", "s3://bucket/photos")'
        )
    return parts


def is_path(dataset: str) -> bool:
    """Returns whether `dataset` is a path or URL, rather than a TFDS name."""
    return is_remote(dataset) or dataset in (".", "..", "~") or dataset.startswith(("/", "./", "../", "~/"))


def is_prepared(folder: Path) -> bool:
    """Returns whether `folder` is the folder of one version of a TFDS dataset."""
    return (folder / PREPARED).is_file()


def is_manifest(place: str | Path) -> bool:
    """Returns whether the path or URL names a manifest, a .csv file, rather than a folder."""
    return os.fspath(place).lower().endswith(".csv")


def is_folder_of_photos(dataset: str) -> bool:
    """Returns whether `dataset` is a path on this machine at which photos lie, or a manifest of them: none prepared."""
    if not is_path(dataset) or is_remote(dataset):
        return False
    place = Path(dataset).expanduser()
    return place.is_file() if is_manifest(place) else place.is_dir() and not is_prepared(place)


def split_manifest(url: str) -> tuple[str, str]:
    """Returns the URL of the folder that holds the data, and the manifest's name in it; empty: it has none."""
    return (posixpath.dirname(url), posixpath.basename(url)) if is_manifest(url) else (url, "")


def locate(dataset: str, data_dir: str | None, root: Path) -> Path | None:
    """Returns the folder on this machine that holds the data, or the manifest that names it; None: it is not there.

    A name is looked up among the embedded datasets, in
    `data_dir` (or TFDS's own), and in what runs have downloaded.
    """
    if is_path(dataset):
        return _at_path(dataset)
    found = (find_prepared(dataset, place) for place in _places(data_dir, root))
    return next(filter(None, found), None)


def _at_path(dataset: str) -> Path | None:
    place = expand_home(dataset, "ingest.dataset")
    return place if place.is_dir() or (is_manifest(place) and place.is_file()) else None


def missing_path(dataset: str) -> str:
    """Returns in words that nothing is at a path of this machine; an empty text if something is, or it is no path."""
    if not is_path(dataset) or is_remote(dataset) or _at_path(dataset):
        return ""
    kind = "file" if is_manifest(dataset) else "folder"
    return f"ingest.dataset is {dataset!r}: no such {kind}, seen from {Path.cwd()}"


def require_known(dataset: str) -> None:
    """Raises ComponentError if TFDS knows no dataset of that name. Paths pass.

    TFDS is imported, which takes seconds, only for a name that its files do not show at a glance.
    """
    if not is_path(dataset) and not _is_listed(dataset):
        from components.ingest.download import refuse_unknown

        refuse_unknown(dataset)


def _is_listed(dataset: str) -> bool:
    spec, name = importlib.util.find_spec("tensorflow_datasets"), name_parts(dataset)["name"]
    places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    files = (Path("datasets", name, "__init__.py"), Path("url_checksums", f"{name}.txt"))
    return any((place / file).is_file() for place in places for file in files)


def _places(data_dir: str | None, root: Path) -> Iterator[Path]:
    """Yields one place after the other, because TFDS's own needs a home folder and the embedded datasets do not."""
    yield EMBEDDED
    yield tfds_data_dir(data_dir)
    yield root / "datasets"


def tfds_data_dir(data_dir: str | None) -> Path:
    """Returns the folder where TFDS keeps datasets: `data_dir`, or else TFDS's own default."""
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return expand_home(folder, "ingest.data_dir")


def find_prepared(dataset: str, data_dir: Path) -> Path | None:
    """Returns the folder of the newest prepared version of a dataset below `data_dir`; None if there is none.

    `dataset` is a name such as "cifar10" or "name/config:1.*.*".
    """
    parts = name_parts(dataset)
    folder = data_dir / (parts["namespace"] or "") / parts["name"]
    config = parts["config"] or _default_config(folder)
    if config:
        folder = folder / config
    versions = [version for version in _versions(folder) if fnmatchcase(version, parts["version"] or "*")]
    prepared = [version for version in versions if is_prepared(folder / version)]
    newest = max(prepared, key=lambda version: [int(number) for number in version.split(".")], default=None)
    return folder / newest if newest else None


def _default_config(folder: Path) -> str | None:
    """Returns the config that TFDS takes if the user names none; None if the dataset has no configs."""
    try:
        return json.loads((folder / ".config" / "metadata.json").read_bytes())["default_config_name"]
    except FileNotFoundError:
        return None


def _versions(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if _VERSION.fullmatch(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
