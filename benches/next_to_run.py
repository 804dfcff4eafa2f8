"""The commands that work on the ledger that `trunkrate run` made, each beside the scan of the bytes
that it must read.

compare.py calls `measured` once a round. What a command gives is looked at: one that does less must
not look fast.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from measuring import check_summary, fail, measure

HERE = Path(__file__).resolve().parent
PERIOD, DATE = "2026-11", "2026-12-01"  # of generate.py's night
# What each must read, for scan.py: of the run in the ledger, or of the published night.
OF_LEGS = "run/legs/**/*.parquet"
REPORTED_CALLS = "call_sid,parent_call_sid,account_sid,scenario,from,to,class,currency,status,start_time,end_time,duration_seconds,amount,carrier_price"
REPORTED_LEGS = "call_sid,scenario,service,rated_number,destination_prefix,description,deck,currency,start_time,price_per_minute,amount,billed_seconds"
BILLED_LEGS = "account_sid,currency,call_sid,leg,scenario,service,description,start_time,billed_seconds,price_per_minute,connection_fee,amount,leg_from,leg_to,duration_seconds"
READS = {
    "verify": ["run/**"],
    "export legs, Parquet": [OF_LEGS],
    "export legs, CSV": [OF_LEGS],
    "report": [f"run/calls/**/*.parquet={REPORTED_CALLS}", f"{OF_LEGS}={REPORTED_LEGS}"],
    "invoice issue, JSON and CSV": [f"{OF_LEGS}={BILLED_LEGS}"],
    "ledger import": ["night/**"],
}


def prepare(books, data, source):
    """Beside BOOKS/ledger: its only run as BOOKS/run, and the same night as Spark publishes it, as
    BOOKS/night."""
    (run,) = (books / "ledger/runs").iterdir()
    (books / "run").symlink_to(run)
    command = [
        sys.executable,
        HERE / "published_night.py",
        books / "ledger",
        data / f"calls.{source}",
        data / "rates",
        books / "night",
    ]
    if subprocess.run(command).returncode != 0:
        fail("the night could not be published")


def linked(ledger, target):
    """A ledger of its own with the same files: what a command writes anew it puts in their place,
    and changes none of them."""
    shutil.copytree(ledger, target, copy_function=os.link)
    return target


def expect(name, what, found, expected):
    if found != expected:
        fail(f"{name}: {what}: expected {expected}, found {found}")


class Round:
    """The commands in a folder of their own, each measured and its answer held against what the
    generator knows."""

    def __init__(self, binary, books, data, folder, expected, total):
        self.binary, self.books, self.data, self.folder, self.expected, self.total = (
            binary,
            books,
            data,
            folder,
            expected,
            total,
        )

    def run(self, name, ledger, *arguments):
        return measure(
            f"trunkrate {name}",
            [self.binary, *arguments, "--ledger", ledger],
            self.folder,
            dict(os.environ),
        )

    def verify(self, name):
        measures, output = self.run(name, self.books / "ledger", "verify")
        said = f"{self.expected['read']:,} calls, {self.expected['legs']:,} legs, {self.total} USD"
        if (
            not output.startswith(b"good: 1 run, ")
            or said.encode() not in output
            or b"every law holds" not in output
        ):
            fail(f"{name} does not say `good` and `{said}`: {output.decode(errors='replace')}")
        return measures

    def export_parquet(self, name):
        out = self.folder / "legs.parquet"
        measures, _ = self.run(
            name, self.books / "ledger", "export", "legs", "--format", "parquet", "--out", out
        )
        rows = subprocess.run(
            [sys.executable, HERE / "scan.py", f"{out}=call_sid"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.split(",")[1]
        expect(name, "legs", int(rows), self.expected["legs"])
        return measures

    def export_csv(self, name):
        out = self.folder / "legs.csv"
        measures, _ = self.run(
            name, self.books / "ledger", "export", "legs", "--format", "csv", "--out", out
        )
        with open(out, "rb") as file:
            expect(name, "legs", sum(1 for _ in file) - 1, self.expected["legs"])
        return measures

    def report(self, name):
        out = self.folder / "report.json"
        html, _ = self.run(
            name, self.books / "ledger", "report", "--out", self.folder / "report.html"
        )
        self.run(name, self.books / "ledger", "report", "--format", "json", "--out", out)
        if (
            not (self.folder / "report.html").read_bytes().rstrip().endswith(b"</html>")
            or self.total not in out.read_text()
        ):
            fail(f"{name}: {out} does not say {self.total}, or the page has no end")
        return html

    def issue(self, name):
        ledger, out = (
            linked(self.books / "ledger", self.folder / "billed"),
            self.folder / "documents",
        )
        billing = self.data / "billing"
        measures, _ = self.run(
            name,
            ledger,
            "--config",
            billing / "trunkrate.toml",
            "invoice",
            "issue",
            "--period",
            PERIOD,
            "--date",
            DATE,
            "--accounts",
            billing / "accounts.csv",
            "--format",
            "json,csv",
            "--out",
            out,
        )
        (batch,) = (ledger / "invoices").iterdir()
        entries = json.loads((batch / "manifest.json").read_text())["entries"]
        expect(name, "legs billed", sum(entry["legs"] for entry in entries), self.expected["legs"])
        with open(out / "index.csv", newline="") as file:
            expect(
                name, "documents in index.csv", sum(1 for _ in csv.reader(file)) - 1, len(entries)
            )
        return measures

    def ledger_import(self, name):
        measures, output = self.run(
            name,
            self.folder / "imported",
            "ledger",
            "import",
            self.books / "night",
            "--format",
            "json",
        )
        check_summary(output, self.expected, name)
        return measures

    def scan(self, name):
        patterns = [f"{self.books}/{pattern}" for pattern in READS[name]]
        measures, output = measure(
            f"scan for {name}",
            [sys.executable, HERE / "scan.py", *patterns],
            self.folder,
            dict(os.environ),
        )
        size, _ = output.decode().split(",")
        return measures | {"bytes": int(size)}


COMMANDS = dict(
    zip(
        READS,
        (
            Round.verify,
            Round.export_parquet,
            Round.export_csv,
            Round.report,
            Round.issue,
            Round.ledger_import,
        ),
    )
)
