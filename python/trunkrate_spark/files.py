"""Call files: found by path, folder or glob, by the same rules as the command line.

**Invariant:** a file is read whole or the night fails; a file that is left out is left out aloud.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlparse

from trunkrate_spark.errors import NightError

CSV = ("csv", "tsv", "psv")
JSON = ("json", "jsonl", "ndjson")
PACKED = ("gz", "zst")


@dataclass(frozen=True)
class CallFile:
    """A file of calls: where it is, as Spark and pyarrow name it; its format, `csv` or
    `parquet`."""

    path: str
    format: str


def is_local(path: str) -> bool:
    """Whether a path has no scheme but perhaps `file:`."""
    return urlparse(path).scheme in ("", "file") or (os.name == "nt" and os.path.exists(path))


def local_path(path: str) -> str:
    """A path without `file:`."""
    return unquote(urlparse(path).path) if path.startswith("file:") else path


def format_of(path: str) -> str | None:
    """`csv`, `parquet`, `json`, or None for a file that holds no calls. Packed Parquet is
    `parquet.gz` and the like."""
    parts = os.path.basename(path).lower().split(".")
    packed = parts.pop() if len(parts) > 1 and parts[-1] in PACKED else ""
    ending = parts[-1] if len(parts) > 1 else ""
    if ending in CSV:
        return "csv"
    if ending in JSON:
        return "json"
    if ending == "parquet":
        return f"parquet.{packed}" if packed else "parquet"
    return None


def find(spark: Any, patterns: Iterable[str]) -> tuple[list[CallFile], list[str]]:
    """The call files of paths, folders (with all below them) and globs, each once and by name; and
    what was left out.

    Raises NightError for a path that is not there, a folder without call files, and a format that
    Spark does not read here.
    """
    files: dict[str, CallFile] = {}
    left_out: list[str] = []
    for pattern in patterns:
        found = _local(local_path(pattern)) if is_local(pattern) else _remote(spark, pattern)
        calls = 0
        for path in found:
            format_ = format_of(path)
            if format_ in ("csv", "parquet"):
                files.setdefault(
                    os.path.realpath(path) if is_local(path) else path, CallFile(path, format_)
                )
                calls += 1
            elif format_ is None:
                left_out.append(path)
            else:
                raise NightError(
                    f"{path}: is {format_}; expected CSV (also .gz, .zst) or Parquet. "
                    "Rate it with `trunkrate run`, or make CSV or Parquet of it"
                )
        if not calls:
            raise NightError(
                f"{pattern}: no call file was found there; expected files that end in .csv,"
                " .csv.gz, .csv.zst or .parquet"
            )
    return sorted(files.values(), key=lambda file: file.path), sorted(left_out)


def _local(pattern: str) -> list[str]:
    paths = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
    found: list[str] = []
    for path in map(os.path.abspath, paths):
        if os.path.isfile(path):
            found.append(path)
            continue
        for folder, folders, names in os.walk(path, onerror=_cannot_list):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
            found.extend(
                os.path.join(folder, name)
                for name in sorted(names)
                if not name.startswith((".", "_"))
            )
    return found


def _cannot_list(problem: OSError) -> None:
    raise NightError(f"{problem.filename}: cannot be read: {problem.strerror}")


def _remote(spark: Any, pattern: str) -> list[str]:
    """By Hadoop's file systems, with the rights that Spark has; without a JVM (Spark Connect) by
    pyarrow's."""
    jvm = getattr(spark, "_jvm", None)
    if jvm is None:
        from pyarrow import fs

        system, path = fs.FileSystem.from_uri(pattern)
        scheme = pattern[: pattern.index("://") + 3]
        infos = [system.get_file_info(path)]
        if infos[0].type == fs.FileType.Directory:
            infos = system.get_file_info(fs.FileSelector(path, recursive=True))
        paths = [info.path for info in infos if info.type == fs.FileType.File]
        return sorted(scheme + found for found in paths if not _is_hidden(found[len(path) :]))
    path = jvm.org.apache.hadoop.fs.Path(pattern)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    found = []
    for status in system.globStatus(path) or []:
        root = status.getPath()
        if status.isFile():
            found.append(root.toString())
            continue
        below = system.listFiles(root, True)
        while below.hasNext():
            name = below.next().getPath().toString()
            if not _is_hidden(name[len(root.toString()) :]):
                found.append(name)
    return sorted(found)


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/") if part)
