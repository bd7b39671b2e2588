"""Engines that run on Java: their jars, which Maven keeps in its own repository, and their command lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

# What Flink, Spark and Beam reach into of the JDK, as the scripts of Flink and Spark allow them to.
OPENED = (
    "java.base/java.lang java.base/java.lang.invoke java.base/java.lang.reflect java.base/java.net java.base/java.io "
    "java.base/java.nio java.base/java.math java.base/java.text java.base/java.time java.base/java.util "
    "java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.util.concurrent.locks "
    "java.base/sun.nio.ch java.base/sun.nio.cs java.base/sun.net.util java.base/sun.security.action "
    "java.base/sun.util.calendar"
)


def available() -> bool:
    """Whether this machine has what they need."""
    return bool(shutil.which("java") and shutil.which("mvn"))


def class_path(project: Path) -> list[str]:
    """The jars that a pom.xml names, and those that they need. Maven downloads what it does not have."""
    if not available():
        raise RuntimeError("This engine needs java and mvn on the PATH.")
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as told:
        goal = ["dependency:build-classpath", f"-Dmdep.outputFile={told.name}"]
        subprocess.run(["mvn", "--batch-mode", "--quiet", f"--file={project}", *goal], check=True)
        return told.read().split(os.pathsep)


def java(jars: Sequence[str], heap: str, main_class: str, *arguments: str) -> list[str]:
    """A command line."""
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED.split()]
    exported = ["--add-exports=java.base/sun.net.util=ALL-UNNAMED"]
    return ["java", f"-Xmx{heap}", *opened, *exported, "-cp", os.pathsep.join(jars), main_class, *arguments]


def job_server_jar(path: Path, main_class: str, jars: Sequence[str]) -> Path:
    """Writes a jar that only names others: Beam starts its job server with `java -jar`."""
    attributes = {
        "Manifest-Version": "1.0",
        "Main-Class": main_class,
        "Add-Opens": OPENED,
        "Class-Path": " ".join(Path(jar).as_uri() for jar in jars),
    }
    lines = (_folded(f"{name}: {value}") for name, value in attributes.items())
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "".join(lines) + "\n")
    return path


def _folded(line: str) -> str:
    """A line of a manifest has at most 72 bytes; what follows begins with a space."""
    first, rest = line[:70], line[70:]
    return "\n ".join([first, *(rest[at : at + 69] for at in range(0, len(rest), 69))]) + "\n"
