from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability.common_urns import resource_hints

from pipeline.errors import UsageError
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import DIRECT_RUNNER, make_options
from tests.pipeline.runners.test_component_transform import chain, plan

GPU = "accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver"


def hints(tmp_path: Path, *options: str) -> dict[str, dict[str, bytes]]:
    """What every transform that a worker runs asks for, as a runner is told."""
    pipeline = beam.Pipeline(options=make_options(DIRECT_RUNNER, options))
    chain(BeamEdge(pipeline, plan(tmp_path), "run", options))
    parts = pipeline.to_runner_api().components
    return {
        transform.unique_name: dict(parts.environments[transform.environment_id].resource_hints)
        for transform in parts.transforms.values()
        if transform.environment_id
    }


def test_training_alone_asks_for_its_resources(tmp_path: Path) -> None:
    asked = hints(tmp_path, f"--train_resource_hints={GPU}", "--train_resource_hints=min_ram=16GB")
    wanted = {
        resource_hints.ACCELERATOR.urn: GPU.partition("=")[2].encode(),
        resource_hints.MIN_RAM_BYTES.urn: b"16000000000",
    }
    assert asked["train/run"] == wanted
    assert [name for name, found in asked.items() if found and name.split("/")[0] != "train"] == []
    assert "normalize/combine" in asked


def test_without_the_option_nothing_is_asked_for(tmp_path: Path) -> None:
    assert not any(hints(tmp_path).values())


@pytest.mark.parametrize(
    ("hint", "reason"), [("gpu=1", "Unknown resource hint: gpu."), ("min_ram=big", "invalid value big")]
)
def test_a_hint_that_beam_does_not_know_is_refused(tmp_path: Path, hint: str, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"--train_resource_hints={hint}: .*{reason}.* Known are accelerator=TEXT"):
        hints(tmp_path, f"--train_resource_hints={hint}")
