"""`python -m trunkrate_spark`: rates a night of calls on Spark and publishes it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from trunkrate_spark.errors import NightError
from trunkrate_spark.night import Published, rate_night
from trunkrate_spark.session import session


def arguments() -> argparse.ArgumentParser:
    """The arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m trunkrate_spark",
        description=(
            "Rates a night of calls on Apache Spark and publishes it whole. `trunkrate ledger"
            " import` takes it into a ledger."
        ),
        epilog=(
            "Exit codes: 0 published, or published already; 1 failed, nothing published; 2 usage."
        ),
    )
    parser.add_argument(
        "--calls",
        action="append",
        required=True,
        metavar="PATH",
        help="call files, folders or globs: CSV (also .gz, .zst) or Parquet",
    )
    parser.add_argument(
        "--rates",
        required=True,
        metavar="DIR",
        help="a rate deck, or a folder with a folder per deck",
    )
    parser.add_argument(
        "--trunks",
        metavar="FILE",
        help="the carrier's trunk list (JSON); without it every trunk allows transfers",
    )
    parser.add_argument("--accounts", metavar="FILE", help="accounts.csv: account_sid,name,deck")
    parser.add_argument("--config", metavar="FILE", help="the configuration (trunkrate.toml)")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="where nights are published; must rename a folder in one step",
    )
    parser.add_argument(
        "--master", metavar="URL", help="Spark's master; without it, what spark-submit says"
    )
    parser.add_argument(
        "--remote", metavar="URL", help="a Spark Connect server, such as Sail, in place of --master"
    )
    parser.add_argument(
        "--kernel-archive",
        metavar="ZIP",
        help="the wheel, renamed to .zip, for executors that do not have it",
    )
    parser.add_argument(
        "--conf", action="append", default=[], metavar="NAME=VALUE", help="a setting of Spark's"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to print the summary"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a night; the exit code."""
    parser = arguments()
    options = parser.parse_args(argv)
    if any("=" not in setting for setting in options.conf):
        parser.error("--conf: expected NAME=VALUE, as in --conf spark.executor.memory=4g")
    from pyspark.errors import PySparkException
    from trunkrate import Tariff

    try:
        tariff = Tariff(
            options.rates, trunks=options.trunks, accounts=options.accounts, config=options.config
        )
        settings = dict(setting.split("=", 1) for setting in options.conf)
        spark = session(
            options.master,
            remote=options.remote,
            kernel_archive=options.kernel_archive,
            settings=settings,
        )
        try:
            published = rate_night(spark, options.calls, tariff, options.out)
        finally:
            spark.stop()
    except (NightError, ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except PySparkException as problem:
        print(
            f"error: Spark could not rate the night; nothing was published: {problem}",
            file=sys.stderr,
        )
        return 1
    for path in published.left_out:
        print(f"note: {path} holds no calls and was left out", file=sys.stderr)
    print(
        json.dumps({"path": published.path, "already": published.already, **published.manifest})
        if options.format == "json"
        else summary(published)
    )
    return 0


def summary(published: Published) -> str:
    """What a night came to, for people."""
    if published.already:
        return f"published already: {published.path}\nnothing was written"
    counts = published.manifest["counts"]
    lines = [f"published {published.path}"]
    lines += [
        f"  {name:<16}{count['records']:>14,} records {count['seconds']:>16,} s"
        for name, count in counts.items()
    ]
    lines += [
        f"    {reason:<24}{count:>8,}"
        for reason, count in published.manifest["suspended_by_reason"].items()
    ]
    lines.append(f"  {'legs':<16}{published.manifest['legs']:>14,}")
    lines += [
        f"  {currency:<16}{amount:>14}" for currency, amount in published.manifest["amount"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
