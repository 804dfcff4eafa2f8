"""A Spark session that suits a night.

`rate_night` takes any session whose time zone is UTC; this makes one where there is none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

KERNEL_FOLDER = "trunkrate_kernel"
"""Where Spark unpacks the kernel beside each executor, if it travels as an archive."""

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.ui.showConsoleProgress": "false",
}


def session(
    master: str | None = None,
    *,
    remote: str | None = None,
    kernel_archive: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Any:
    """The running Spark session, or a new one.

    `master` and `remote` (Spark Connect, such as Sail) are Spark's own addresses; without both,
    what `spark-submit`
    says. `kernel_archive` is the wheel, renamed to end in `.zip`, for executors that do not have it
    installed.
    """
    from pyspark.sql import SparkSession

    if master and master.startswith("local"):
        # Executors on this machine: by the same Python, which has the kernel.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder
    if remote:
        builder = builder.remote(remote)
    else:
        builder = builder.appName("trunkrate")
        if master:
            builder = builder.master(master)
    wanted = dict(SETTINGS)
    if kernel_archive:
        wanted["spark.archives"] = f"{kernel_archive}#{KERNEL_FOLDER}"
    wanted.update(settings or {})
    for name, value in wanted.items():
        if not remote or name.startswith("spark.sql."):
            builder = builder.config(name, value)
    return builder.getOrCreate()


def kernel_finder() -> Callable[[], None]:
    """A function for executors: after it, `import trunkrate` finds a kernel that came as an
    archive."""
    folder = KERNEL_FOLDER

    def find_kernel() -> None:
        import os
        import sys

        path = os.path.abspath(folder)
        if os.path.isdir(path) and path not in sys.path:
            sys.path.insert(0, path)

    return find_kernel
