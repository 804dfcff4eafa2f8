#!/usr/bin/env python3
"""Instructions per record and per leg, counted by callgrind, beside the baseline kept in
`instructions.json`.

Time depends on the machine and its neighbours; a count of instructions comes out the same again
(within 0.1 % or so: hash
seeds differ from process to process). Each part is run with two sizes, and the difference is
divided by the units between
them, so that set-up cancels out. Exit code 1 if a part needs more than TOLERANCE more than the
baseline.

    python3 benches/instructions.py             # compare
    python3 benches/instructions.py --update    # and keep what was counted as the new baseline

Needs valgrind, and cargo to build the counted work (`benches/instructions.rs`).
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "instructions.json"
TOLERANCE = 0.03

# The two sizes of each part: blocks of 1 MiB (4,600 records), or thousands of legs.
PARTS = {
    "scan": ("record", 2, 6),
    "count": ("record", 2, 6),
    "parse": ("record", 2, 6),
    "parse-quoted": ("record", 2, 6),
    "legs": ("leg", 10, 40),
}


def build():
    # The names of functions stay: callgrind is told by one of them what to count.
    named = ["--config", "profile.release.package.trunkrate.strip=false"]
    command = [
        "cargo",
        "build",
        "--release",
        "--locked",
        *named,
        "--bench",
        "instructions",
        "--message-format=json",
    ]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, done.stdout.splitlines())
    return next(
        m["executable"]
        for m in messages
        if m.get("executable") and m["target"]["name"] == "instructions"
    )


def count(program, part, units):
    """Instructions inside `counted`, and records or legs that it went through."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*instructions*counted*",
            f"--callgrind-out-file={folder}/out",
            program,
            part,
            str(units),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected or int(collected[1]) == 0:
        sys.exit(f"{' '.join(command)}\ncounted nothing:\n{done.stderr}")
    return int(collected[1]), int(done.stdout)


def per_unit(program, part):
    _, small, large = PARTS[part]
    (few, fewer), (many, more) = count(program, part, small), count(program, part, large)
    return (many - few) / (more - fewer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--update", action="store_true", help="keep what was counted as the new baseline"
    )
    parser.add_argument("--jobs", type=int, default=2, help="parts counted at a time (default 2)")
    arguments = parser.parse_args()
    try:
        baseline = json.loads(BASELINE.read_text())
    except FileNotFoundError:
        baseline = {}
    program = build()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        counts = dict(zip(PARTS, pool.map(lambda part: round(per_unit(program, part), 1), PARTS)))

    worse = []
    print(f"{'part':<14}{'instructions':>14}{'baseline':>12}{'change':>9}")
    for part, found in counts.items():
        known = baseline.get(part)
        change = f"{100 * (found / known - 1):+.1f} %" if known else "new"
        print(f"{part:<14}{found:>14,.1f}{known or 0:>12,.1f}{change:>9}  per {PARTS[part][0]}")
        if known is None or found > known * (1 + TOLERANCE):
            worse.append(part)
    if arguments.update:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
        print(f"kept in {BASELINE.name}")
    elif worse:
        sys.exit(
            f"worse than the baseline by more than {100 * TOLERANCE:.0f} %: {', '.join(worse)}"
        )


if __name__ == "__main__":
    main()
