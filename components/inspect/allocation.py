"""Makes the large arrays of inspect in files, whose pages the system takes back when it needs the memory."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray


def allocate(shape: tuple[int, ...], dtype: DTypeLike, folder: Path | None) -> NDArray:
    """Makes an array that will be filled: in a file in the folder, or in memory without one."""
    if folder is None:
        return np.empty(shape, dtype)
    # A name that no other attempt has, and that marks a draft: it is not uploaded.
    return open_memmap(folder / f".{uuid.uuid4().hex}.npy", mode="w+", dtype=dtype, shape=shape)
