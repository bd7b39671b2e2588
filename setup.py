"""Packages the pipeline: what `make` installs from, and what Beam ships to its workers."""

from setuptools import find_packages, setup

setup(
    name="image-classifier-pipeline",
    version="0.2.0.dev0",
    description="A production line for image classifiers: from labelled images to TensorFlow Serving and Core ML.",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={
        "components": ["datasets/**/*"],
        "pipeline": ["*/templates/*", "demo/assets/*"],
    },
    entry_points={"console_scripts": ["image-classifier-pipeline = pipeline.__main__:main"]},
    install_requires=[
        "apache-beam[aws]",  # s3://
        "apscheduler<4",
        "coremltools",
        "importlib-resources",  # tensorflow-datasets 4.9.10 imports it without saying so
        "jinja2",
        "matplotlib",
        "numpy",
        "pillow",
        "pillow-heif",
        "pydantic",
        "rich",
        "starlette",
        "tensorflow",
        "tensorflow-datasets",
        "tensorflow-model-analysis",
        "uvicorn",
    ],
    extras_require={
        "test": [
            "flask-cors",
            "httpx",
            "kubernetes-validate",
            "moto[s3]",
            "mypy",
            "playwright",
            "pytest",
            "pytest-xdist",
            "pyyaml",
            "ruff",
        ]
    },
)
