#!/usr/bin/env python3
"""A ledger over years: nights of a thousand calls, and what one of them costs.

    python3 benches/years.py [--nights 1800] [--calls 1000] [--at 30,300,1800] [--keep DIR]

Each night is booked by the real binary, as a nightly job does. At the nights of `--at` the next one
is measured on copies of the ledger: CPU (user and system), peak memory and minor faults by wait4,
best of five; files opened and bytes read by strace. So is `status`, which a monitor asks. The last
lines say how the last night compares with the first.
"""

import argparse
import datetime
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

HEADER = (
    "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,start_time,end_time,"
    "duration,status"
)
DECK = (
    "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes,Service\n"
    "US,United States,US,0.0100,,1,termination\n"
    "US,United States,US in,0.0034,,1,origination\n"
)
FIRST = datetime.date(2021, 1, 1)


def night(number, calls):
    """The calls of a night. One in fifty is transferred; two transfers came a night before their
    parents, and wait for one night; ten calls are copies of the night before, as exports overlap.
    """

    def call(rng, day):
        start = datetime.datetime(day.year, day.month, day.day) + datetime.timedelta(
            seconds=rng.randrange(86_000)
        )
        return (
            f"CA{rng.getrandbits(128):032x}",
            start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"AC{rng.randrange(20):032x}",
            rng.randrange(1, 300),
            f"+12025550{rng.randrange(100, 199)}",
            f"+1415{rng.randrange(2_000_000, 9_999_999)}",
            f"CA{rng.getrandbits(128):032x}",
        )

    def root(sid, stamp, account, seconds, caller, to, _):
        return (
            f"{sid},,{account},TK1,trunking-terminating,{caller},{to},{stamp},,{seconds},completed"
        )

    def child(sid, stamp, account, seconds, _caller, _to, own):
        return f"{own},{sid},{account},TK1,,,sip:agent@pbx.example.com,{stamp},,{seconds},completed"

    def of_day(number):
        rng, day = random.Random(number), FIRST + datetime.timedelta(days=number)
        return [call(rng, day) for _ in range(calls)]

    own, before = of_day(number), of_day(number - 1)
    # The first two of a night come with the next one; their transfers come at once.
    lines = [HEADER] + [root(*one) for one in own[2:]] + [root(*one) for one in before[:12]]
    lines += [child(*one) for one in own[2::50] + own[:2]]
    return "\n".join(lines) + "\n"


def measured(command, cwd):
    """CPU seconds, peak KiB and minor faults of a command."""
    with open(os.devnull, "wb") as nothing:
        child = subprocess.Popen(command, cwd=cwd, stdout=nothing, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1) or (code == 1 and "status" not in command):
        sys.exit(f"{command}: exit code {code}\n{said.decode()}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss, used.ru_minflt


def traced(command, cwd, ledger):
    """How many files of the ledger a command opens, and the bytes that it reads of them."""
    with tempfile.NamedTemporaryFile() as record:
        names = "trace=openat,open,read,pread64,getdents64,statx,newfstatat,fsync"
        subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-y",
                "-s",
                "0",
                "--seccomp-bpf",
                "-e",
                names,
                "-o",
                record.name,
                *command,
            ],
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        opened = read = looks = syncs = 0
        for line in open(record.name, errors="replace"):
            if str(ledger) not in line and ledger.name not in line:
                continue
            if "open" in line.split("(")[0]:
                opened += " = -1 " not in line
            elif "read" in line.split("(")[0]:
                count = line.rsplit("=", 1)[-1].strip().split(" ")[0]
                read += int(count) if count.isdigit() else 0
            elif "fsync" in line.split("(")[0]:
                syncs += 1
            else:
                looks += 1
    return opened, read, looks, syncs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=1800)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--at", default="30,300,1800")
    parser.add_argument("--binary", default="target/release/trunkrate")
    parser.add_argument("--keep", help="where the ledger is made, and stays; it is gone on with")
    args = parser.parse_args()
    binary = str(pathlib.Path(args.binary).resolve())
    at = [int(number) for number in args.at.split(",")]
    with tempfile.TemporaryDirectory() as own:
        folder = pathlib.Path(args.keep or own).resolve()
        (folder / "rates").mkdir(parents=True, exist_ok=True)
        (folder / "rates/deck.toml").write_text('name = "test"\ncurrency = "USD"\n')
        (folder / "rates/prices.csv").write_text(DECK)

        def run(ledger, calls):
            return [binary, "run", "--cdrs", calls, "--rates", "rates", "--ledger", str(ledger)]

        ledger = folder / "ledger"
        begun = len(list((ledger / "runs").iterdir())) if (ledger / "runs").is_dir() else 0
        rows = {}
        for number in range(begun + 1, args.nights + 1):
            (folder / "calls.csv").write_text(night(number, args.calls))
            if number in at:
                best, copy = {}, folder / "measured"
                for what in ["run", "status"]:
                    tries = []
                    for _ in range(5):
                        shutil.rmtree(copy, ignore_errors=True)
                        shutil.copytree(ledger, copy)
                        command = (
                            run(copy, "calls.csv")
                            if what == "run"
                            else [binary, "status", "--ledger", str(copy)]
                        )
                        tries.append(measured(command, folder))
                    shutil.rmtree(copy)
                    shutil.copytree(ledger, copy)
                    best[what] = tuple(min(values) for values in zip(*tries)) + traced(
                        command, folder, copy
                    )
                shutil.rmtree(copy)
                rows[number] = best
                for what, (cpu, peak, faults, opened, read, looks, syncs) in best.items():
                    print(
                        f"night {number:5} {what:7} {cpu * 1000:7.0f} ms CPU {peak / 1024:7.1f} MiB"
                        f" {faults:7} faults {opened:6} opened {read / 1024:9.0f} KiB read"
                        f" {looks:6} looks {syncs:5} syncs",
                        flush=True,
                    )
            measured(run(ledger, "calls.csv"), folder)
        if len(rows) > 1:
            first, last = rows[min(rows)], rows[max(rows)]
            for what in first:
                ratios = [last[what][place] / first[what][place] for place in (0, 1, 2)]
                print(
                    f"{what}: night {max(rows)} against night {min(rows)}: CPU {ratios[0]:.2f}, "
                    f"peak {ratios[1]:.2f}, faults {ratios[2]:.2f}"
                )


if __name__ == "__main__":
    main()
