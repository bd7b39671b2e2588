from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from components.artifacts import Examples
from components.train import Train, TrainConfig
from components.train.recipes import RECIPES


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_by_name_gives_its_values(name: str) -> None:
    config = TrainConfig(recipe=name)

    assert config.model_dump(include=set(RECIPES[name].model_dump())) == RECIPES[name].model_dump()


def test_a_value_given_beside_the_recipe_wins_and_null_stands_for_the_recipes() -> None:
    config = TrainConfig.model_validate_json('{"recipe": "tutorial", "epochs": 2.5, "batch_size": null}')

    assert (config.epochs, config.batch_size) == (2.5, RECIPES["tutorial"].batch_size)


def test_lists_are_taken_from_json_and_from_python() -> None:
    from_json = TrainConfig.model_validate_json(
        '{"recipe": "cifar93", "widths": [8, 16, 24], "resolution_schedule": [[0, 0.5], [0.5, 1]]}'
    )
    from_python = TrainConfig.model_validate(
        {"recipe": "cifar93", "widths": [8, 16, 24], "resolution_schedule": [[0.0, 0.5], [0.5, 1.0]]}
    )

    assert from_json == from_python
    assert from_json.widths == (8, 16, 24)


def test_the_same_training_has_the_same_identity_however_it_is_written() -> None:
    spelled_out = TrainConfig(recipe="small_data", batch_size=RECIPES["small_data"].batch_size)

    assert Train(spelled_out).identity() == Train(TrainConfig(recipe="small_data")).identity()
    assert Train(TrainConfig(random_seed=1)).identity() != Train(TrainConfig()).identity()


def test_the_recipe_auto_has_the_same_identity_however_it_is_written() -> None:
    plain = Train(TrainConfig()).identity()
    spelled_out = {"recipe": "auto", "epochs": None, "image_size_pixels": None, "class_balance": 0.0}
    assert Train(TrainConfig.model_validate(spelled_out)).identity() == plain
    assert Train(TrainConfig.model_validate(TrainConfig().model_dump())).identity() == plain
    assert Train(TrainConfig(image_size_pixels=96)).identity() != plain
    assert not plain.keys() & {"epochs", "optimizer", "learning_rate"}  # not chosen yet


@pytest.mark.parametrize(("images", "recipe"), [(300, "transfer"), (4800, "finetune")])
def test_the_images_choose_the_recipe_whose_values_they_are_trained_with(
    images: int, recipe: str, sample: Examples
) -> None:
    examples = sample.model_copy(update={"example_counts": {"train": images}})
    given = {"backbone": "EfficientNetLite1", "image_size_pixels": 96, "random_seed": 5, "max_attempts": 2}

    assert TrainConfig().resolved(examples) == TrainConfig(recipe=recipe)
    resolved = TrainConfig.model_validate(given).resolved(examples)
    assert resolved == TrainConfig.model_validate({**given, "recipe": recipe})
    assert resolved.resolved(examples) is resolved


def test_a_named_precision_is_for_the_recipe_that_reads_it(sample: Examples) -> None:
    few = sample.model_copy(update={"example_counts": {"train": 300}})
    config = TrainConfig(precision="bfloat16")

    assert config.arithmetic.type == "bfloat16"
    assert config.resolved(sample).precision == "bfloat16"
    assert config.resolved(few).arithmetic == ("float32", "only a head is fitted")


def test_what_auto_chooses_is_described_where_the_images_are_known(sample: Examples) -> None:
    train = Train(TrainConfig(precision="bfloat16"))
    said = "recipe finetune: 4,800 training images are enough to train all layers (600 would do)"
    assert train.describe({"examples": sample}) == f"{said}; bfloat16: train.precision says so"
    assert train.describe({}) == ""
    described = Train(TrainConfig(recipe="transfer")).describe({"examples": sample})
    assert described == "float32: only a head is fitted"


def test_a_named_finetune_with_few_images_is_described_as_a_poor_choice(sample: Examples) -> None:
    few = sample.model_copy(update={"example_counts": {"train": 50}})
    described = Train(TrainConfig(recipe="finetune")).describe({"examples": few})
    poor = "recipe finetune: 50 training images are too few to train all layers (600 would do)"
    assert described.startswith(f"{poor}; auto would take transfer; ")
    many = sample.model_copy(update={"example_counts": {"train": 300_000}})  # there only the hours count
    for recipe, examples in (("finetune", sample), ("finetune", many), ("transfer", few), ("small_data", few)):
        assert "recipe" not in Train(TrainConfig(recipe=recipe)).describe({"examples": examples})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recipe": "fastest"}, "unknown recipe 'fastest'; there are: auto, cifar81, "),
        ({"epochs": 0}, "epochs cannot be given beside the recipe auto, which becomes transfer or finetune once the"),
        (
            {"recipe": "auto", "flip": "none", "warm_start": "best"},
            "flip and warm_start cannot be given beside the recipe auto",
        ),
        (
            {"recipe": "small_data", "network": "efficientnet_lite", "optimizer": "adam"},
            "the network `efficientnet_lite` needs image_size_pixels: 224 is",
        ),
        ({"backbone": "MobileNetV2"}, "`efficientnet_lite` has no backbone `MobileNetV2`"),
        ({"recipe": ["small_data"]}, "unknown recipe"),
        ({"recipe": "small_data", "epochs": -1}, "greater than or equal to 0"),
        ({"recipe": "small_data", "epochs": 0}, "the network `whitened` has no stored features to learn from"),
        ({"recipe": "transfer", "backbone": "MobileNetV2"}, "`efficientnet_lite` has no backbone `MobileNetV2`"),
        ({"recipe": "finetune_keras", "backbone": "EfficientNetLite0"}, "`pretrained` has no backbone `Efficient"),
        ({"recipe": "transfer", "warm_start": "best"}, "warm_start has no effect with 0 epochs"),
        ({"recipe": "small_data", "widths": [8, 8, 10**6]}, "less than or equal to 65536"),
        ({"recipe": "small_data", "batch_size": -1}, "greater than 0"),
        ({"recipe": "small_data", "batch_size": 12.5}, "valid integer"),
        ({"recipe": "small_data", "crop_padding_pixels": 9}, "less than or equal to 8"),
        ({"recipe": "small_data", "widths": []}, "at least 1 item"),
        ({"recipe": "small_data", "widths": [16, "32", 64]}, "valid integer"),
        ({"filter_learning_rate": 1.0}, "Extra inputs are not permitted"),
        (
            {"recipe": "small_data", "resolution_schedule": [[0.5, 1.0]]},
            "starts at 0 and rises; it has the starts [0.5]",
        ),
        ({"recipe": "small_data", "resolution_schedule": [[0.0, 0.25]]}, "greater than or equal to 0.5"),
        ({"recipe": "tutorial", "resolution_schedule": [[0.0, 0.5]]}, "`tutorial` takes one image size"),
        ({"recipe": "finetune_keras", "resolution_schedule": [[0.0, 0.5]]}, "`pretrained` takes one image size"),
        ({"recipe": "resnet50", "widths": [64, 128]}, "2 widths, and blocks_per_width for 4 of them"),
        ({"recipe": "cifar94", "widths": [64, 128]}, "2 widths; the network `whitened` has three blocks: give it 3"),
        ({"recipe": "finetune_keras", "epochs": 5}, "frozen_epochs is 10, of 5 epochs: lower it, or train longer"),
        (
            {"recipe": "small_data", "random_crop_area_fraction": [1.0, 0.1]},
            "from the smallest to the largest part of the image, both above 0; it is",
        ),
        ({"recipe": "small_data", "random_crop_area_fraction": [0, 0]}, "both above 0; it is [0.0, 0.0]"),
        ({"recipe": "small_data", "random_crop_area_fraction": [0, 1]}, "both above 0; it is [0.0, 1.0]"),
        ({"recipe": "finetune", "optimizer": "muon"}, "muon sets the norms of pretrained filters anew"),
        ({"recipe": "small_data", "early_stopping_patience_epochs": 0}, "greater than 0"),
        (
            {"recipe": "tutorial", "weight_decay_per_example": 1e-6},
            "weight_decay_per_example has no effect with the optimizer 'adam'; it is read by nesterov and muon. Leave",
        ),
        ({"recipe": "resnet50", "muon_momentum": 0.9}, "muon_momentum has no effect with the optimizer 'nesterov'"),
        ({"recipe": "finetune_keras", "widths": [8, 8, 8]}, "widths has no effect with the network 'pretrained'"),
        ({"recipe": "small_data", "backbone": "MobileNetV2"}, "backbone has no effect with the network 'whitened'"),
        ({"recipe": "small_data", "warm_start": "latest"}, "Input should be 'best'"),
    ],
)
def test_impossible_values_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TrainConfig.model_validate(given)

    assert said in str(refusal.value)


def test_the_component_travels_and_imports_nothing_heavy() -> None:
    component = Train(TrainConfig())
    heavy = "{'tensorflow', 'numpy', 'apache_beam', 'PIL', 'keras'}"
    program = f"import sys, components.train; print({heavy} & set(sys.modules))"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert pickle.loads(pickle.dumps(component)) == component
    assert imported.strip() == "set()"
