from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from components.artifacts import Examples, Model
from components.dataset_reader import read
from components.images.small_picture import SmallPicture, encode
from pipeline.report.pictures import mean_pictures, pictures_by_index


def decode(picture: SmallPicture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))).convert("RGB"))


def model_of(examples: Examples, side: int = 32) -> Model:
    return Model(
        folder=examples.folder,
        class_names=examples.class_names,
        image_height=side,
        image_width=side,
        recipe="small_data",
        parameter_count=1,
        epochs=1,
        trained_images=1,
    )


def test_small_images_keep_every_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    picture = encode(pixels)
    assert (picture.width, picture.height) == (48, 32)
    assert np.array_equal(decode(picture), pixels)


def test_large_images_shrink_to_a_jpeg() -> None:
    picture = encode(np.zeros((600, 300, 3), np.uint8))
    assert (picture.width, picture.height) == (56, 112)
    assert picture.uri.startswith("data:image/jpeg;")


def test_pictures_are_those_of_the_indices(tiny: Examples) -> None:
    images = [image for image, _ in read(tiny, tiny.splits["test"]).as_numpy_iterator()]
    pictures = pictures_by_index(tiny, model_of(tiny), [47, 3, 3, 20])
    assert sorted(pictures) == [3, 20, 47]
    assert all(np.array_equal(decode(picture), images[index]) for index, picture in pictures.items())


def test_pictures_of_a_split_of_several_parts_are_those_of_the_indices(tiny: Examples) -> None:
    parts = tiny.model_copy(update={"splits": {"test": "train[100:110]+test[:5]+train[:2]"}})
    images = [image for image, _ in read(parts, parts.splits["test"]).as_numpy_iterator()]
    pictures = pictures_by_index(parts, model_of(parts), range(17))
    assert all(np.array_equal(decode(pictures[index]), image) for index, image in enumerate(images))


def test_no_indices_need_no_reading(tiny: Examples) -> None:
    assert pictures_by_index(tiny, model_of(tiny), []) == {}


def test_mean_images_are_those_of_their_class(tiny: Examples) -> None:
    means = mean_pictures(tiny, model_of(tiny, side=16), (32, 32, 32))
    assert list(means.by_class) == ["red", "green", "blue"]
    for channel, picture in enumerate(means.by_class.values()):
        assert decode(picture).mean((0, 1)).argmax() == channel
    over_classes = np.mean([decode(picture) for picture in means.by_class.values()], axis=0)
    assert np.abs(decode(means.overall) - over_classes).max() <= 1


def test_of_many_classes_the_most_frequent_have_a_mean_image(tiny: Examples) -> None:
    names = (*(f"class {index}" for index in range(997)), *tiny.class_names)
    many = tiny.model_copy(update={"class_names": names[::-1]})  # labels 0, 1, 2 are those of the images
    means = mean_pictures(many, model_of(many, side=16), (1, 5, 5, *[2] * 997))
    assert list(means.by_class) == ["green", "red"]


def test_a_mean_of_few_images_is_not_shown(tiny: Examples) -> None:
    few = tiny.model_copy(update={"splits": {"train": "train[:29]"}})
    means = mean_pictures(few, model_of(few, side=16), (10, 10, 9))
    assert list(means.by_class) == ["red", "green"]
