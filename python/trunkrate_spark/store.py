"""The folder in which nights are published.

    OUT/nights/NNNNNN-xxxxxxxx/   published by one rename, never changed
    OUT/staging/<id>/             a night before its rename; removed by the next run if its driver
    died
    OUT/.lock                     one publisher at a time

A local folder (also NFS) is handled by the operating system; any other by Hadoop's file system,
through Spark's JVM.
**Invariant:** a folder below `nights/` is a whole night. A store that cannot rename a folder in one
step (S3 and the
like) is refused.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlparse

from trunkrate_spark.errors import NightError
from trunkrate_spark.files import is_local, local_path

NIGHTS = "nights"
STAGING = "staging"
LOCK = ".lock"
NO_RENAME = ("s3", "s3a", "s3n", "gs", "oss", "cosn", "wasb", "wasbs", "http", "https")


class Store(Protocol):
    """What a night asks of the folder in which it is published. Places are given in parts, below
    the folder."""

    def path(self, *parts: str) -> str:
        """A place, as people name it."""

    def uri(self, *parts: str) -> str:
        """A place, as Spark names it."""

    def names(self, *parts: str) -> list[str]:
        """What stands in a folder, sorted, but for hidden names; nothing if it is not there."""

    def files(self, *parts: str) -> list[tuple[str, int]]:
        """The files below a folder, by path within it, with their bytes."""

    def read(self, *parts: str) -> bytes:
        """A file's bytes. Raises OSError."""

    def write(self, content: bytes, *parts: str) -> None:
        """Writes a file, and the folders that it needs."""

    def remove(self, *parts: str) -> None:
        """Removes a folder with all that is in it, or a file, if it is there."""

    def rename(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Renames a folder in one step. Raises NightError if the new name is taken."""

    def keep(self, *parts: str) -> None:
        """Sees to it that a folder and all that is in it outlive a power cut."""

    def locked(self) -> Any:
        """A context in which no other publisher works. Raises NightError if one does."""


def store_of(spark: Any, out: str) -> Store:
    """The store of a path: with a scheme but `file:`, or where Spark's own file system is not
    local, by Hadoop."""
    scheme = urlparse(out).scheme
    if scheme in NO_RENAME:
        raise NightError(
            f"{out}: {scheme} cannot rename a folder in one step, so a night cannot be published"
            " there whole or not at all. Publish to HDFS, to abfss with a hierarchical namespace"
            " or to a shared folder, and copy the published night"
        )
    jvm = getattr(spark, "_jvm", None)
    if not scheme and jvm is not None:
        default = jvm.org.apache.hadoop.fs.FileSystem.getDefaultUri(
            spark._jsc.hadoopConfiguration()
        ).getScheme()
        if default != "file":
            return HadoopStore(spark, out)
    if is_local(out):
        return LocalStore(out)
    if jvm is None:
        raise NightError(
            f"{out}: a session of Spark Connect has no Hadoop file system; expected a local folder."
            " Name one, or use a classic session"
        )
    return HadoopStore(spark, out)


class LocalStore:
    """A folder of this machine, or one that all machines share."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(local_path(root))
        try:
            os.makedirs(os.path.join(self.root, NIGHTS), exist_ok=True)
        except OSError as problem:
            raise NightError(
                f"{self.root}: cannot be made: {problem.strerror}; expected a folder that may be"
                " written. Name another"
            ) from problem

    def path(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    def uri(self, *parts: str) -> str:
        return "file://" + self.path(*parts)

    def names(self, *parts: str) -> list[str]:
        path = self.path(*parts)
        return (
            sorted(name for name in os.listdir(path) if not name.startswith((".", "_")))
            if os.path.isdir(path)
            else []
        )

    def files(self, *parts: str) -> list[tuple[str, int]]:
        root = self.path(*parts)
        found = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
        return sorted((os.path.relpath(path, root), os.path.getsize(path)) for path in found)

    def read(self, *parts: str) -> bytes:
        with open(self.path(*parts), "rb") as file:
            return file.read()

    def write(self, content: bytes, *parts: str) -> None:
        path = self.path(*parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def remove(self, *parts: str) -> None:
        path = self.path(*parts)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)

    def rename(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        source, target = self.path(*old), self.path(*new)
        if os.path.exists(target):
            raise NightError(
                f"{target}: is there already; expected a free name. Another publisher was faster:"
                " run again"
            )
        os.rename(source, target)
        for folder in {os.path.dirname(source), os.path.dirname(target)}:
            _sync(folder)

    def keep(self, *parts: str) -> None:
        for folder, _, names in os.walk(self.path(*parts), topdown=False):
            for name in names:
                _sync(os.path.join(folder, name))
            _sync(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        # The lock goes with the process, however that ends.
        with open(self.path(LOCK), "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as problem:
                raise NightError(
                    f"{self.path(LOCK)}: another publisher is at work; expected none. Wait for it"
                    " and run again"
                ) from problem
            yield


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HadoopStore:
    """A folder of HDFS, or of any file system of Hadoop's that renames a folder in one step."""

    def __init__(self, spark: Any, root: str) -> None:
        self._jvm = spark._jvm
        self._gateway = spark.sparkContext._gateway
        self._conf = spark._jsc.hadoopConfiguration()
        self._who = f"{spark.sparkContext.applicationId} of {spark.sparkContext.sparkUser()}"
        root_path = self._jvm.org.apache.hadoop.fs.Path(root)
        self._system = root_path.getFileSystem(self._conf)
        self.root = self._system.makeQualified(root_path).toString()
        self._system.mkdirs(self._at(NIGHTS))

    def _at(self, *parts: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self.path(*parts))

    def path(self, *parts: str) -> str:
        return "/".join((self.root.rstrip("/"), *parts))

    def uri(self, *parts: str) -> str:
        return self.path(*parts)

    def names(self, *parts: str) -> list[str]:
        path = self._at(*parts)
        if not self._system.exists(path):
            return []
        names = [status.getPath().getName() for status in self._system.listStatus(path)]
        return sorted(name for name in names if not name.startswith((".", "_")))

    def files(self, *parts: str) -> list[tuple[str, int]]:
        below, found = self._system.listFiles(self._at(*parts), True), []
        root = self._at(*parts).toUri()
        while below.hasNext():
            status = below.next()
            found.append((root.relativize(status.getPath().toUri()).getPath(), status.getLen()))
        return sorted(found)

    def read(self, *parts: str) -> bytes:
        path = self._at(*parts)
        if not self._system.exists(path):
            raise FileNotFoundError(self.path(*parts))
        stream = self._system.open(path)
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def write(self, content: bytes, *parts: str) -> None:
        stream = self._system.create(self._at(*parts), True)
        try:
            stream.write(bytearray(content))
            stream.hsync()
        finally:
            stream.close()

    def remove(self, *parts: str) -> None:
        self._system.delete(self._at(*parts), True)

    def rename(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        hadoop = self._jvm.org.apache.hadoop.fs
        # `FileSystem.rename` would move the folder into one that is there; this refuses.
        context = hadoop.FileContext.getFileContext(self._at().toUri(), self._conf)
        options = self._gateway.new_array(getattr(hadoop, "Options$Rename"), 0)
        if self._system.exists(self._at(*new)):
            raise NightError(
                f"{self.path(*new)}: is there already; expected a free name. Another publisher was"
                " faster: run again"
            )
        self._system.mkdirs(self._at(*new[:-1]))
        context.rename(self._at(*old), self._at(*new), options)

    def keep(self, *parts: str) -> None:
        """A closed file of HDFS is with its data nodes; more is not asked of it."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        if self._system.exists(self._at(LOCK)) or not self._system.createNewFile(self._at(LOCK)):
            who = self.read(LOCK).decode(errors="replace")
            raise NightError(
                f"{self.path(LOCK)}: another publisher ({who or 'unknown'}) is at work, or died;"
                " expected none. Wait for it; if that application is gone, remove the file and run"
                " again"
            )
        try:
            self.write(self._who.encode(), LOCK)
            yield
        finally:
            self.remove(LOCK)
