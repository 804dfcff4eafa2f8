"""The figures that `trunkrate plan` reckons with: figures.json, which the program has built in.

compare.py (one and ten million calls) and once.py (a hundred million, by hand) put here what they
measured. What they did not
measure stays as it is: `spark` (python/benches), `bytes_a_call` and `waiting_bytes_a_call`, which
the code sets; and the least
memory and the ledger's bytes of a larger night. Integers only, rounded up: milliseconds, MiB,
bytes.
"""

import json
from math import ceil
from pathlib import Path

PATH = Path(__file__).resolve().parent / "figures.json"
LEAN = "512MiB"  # --memory of the run that shows how little memory is enough
SMALLEST = 1_000_000  # below it the start of the program counts


def source_of(report, script):
    """Where and when, in words."""
    machine = report["machine"]
    times = f", median of {report['repeat']}" if report["repeat"] > 1 else ", once"
    cores = f"{machine['cores']} core{'s' if machine['cores'] != 1 else ''}"
    return (
        f"{report['when'][:10]}, {cores} of an {machine['cpu']}, {machine['memory_gib']}"
        f" GiB{times}; benches/{script}"
    )


def night(calls, how, cpu_seconds, wall_seconds, peak_mib, source):
    return {
        "calls": calls,
        "how": how,
        "cpu_ms": ceil(cpu_seconds * 1000),
        "wall_ms": ceil(wall_seconds * 1000),
        "peak_mib": ceil(peak_mib),
        "source": source,
    }


def take(nights, path=PATH, **others):
    """Puts nights in the place of those of the same size; `others` change least_memory and disk."""
    figures = json.loads(path.read_text())
    by_calls = {night["calls"]: night for night in [*figures["one_machine"], *nights]}
    figures["one_machine"] = [by_calls[calls] for calls in sorted(by_calls)]
    for name, changes in others.items():
        figures[name] |= changes
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def of_report(report, path=PATH):
    """Takes what compare.py measured of `run` from CSV. Returns how many nights that are."""
    nights, others, source = [], {}, source_of(report, "compare.py")
    largest = json.loads(path.read_text())["least_memory"]["calls"]
    for size in sorted(report["sizes"], key=lambda size: size["calls"]):
        medians = {
            row["engine"]: [
                row[measure]["median"] for measure in ("cpu_seconds", "wall_seconds", "peak_mib")
            ]
            for row in size["rows"]
            if row["source"] == "csv"
        }
        calls = size["calls"]
        if calls < SMALLEST or "trunkrate" not in medians or report["trunkrate_args"]:
            continue
        nights.append(night(calls, "CSV", *medians["trunkrate"], source))
        if calls < largest:
            continue
        others = {
            "least_memory": {
                "calls": calls,
                "mib": ceil(medians["trunkrate-lean"][2]),
                "source": f"with --memory {LEAN}: {source}",
            },
            "disk": {
                "ledger_bytes_a_call": ceil(size["ledger_bytes"] / calls),
                "source": (
                    f"ledger of {calls:,} calls: {source}; a packed record: src/partition/deal.rs"
                ),
            },
        }
    if nights:
        take(nights, path, **others)
    return len(nights)
