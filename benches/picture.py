#!/usr/bin/env python3
"""Draws the results of compare.py: CPU seconds per million calls and peak memory, a bar each.

picture.py results.json results.svg
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

# What is drawn: its name, what it does, and its colour. First those that only copy; then the same
# job; then less than it.
DRAWN = {
    "floor": ("floor (polars)", "copies, computes nothing", "floor"),
    "floor-duckdb": ("floor (DuckDB)", "copies, computes nothing", "floor"),
    "floor-pyarrow": ("floor (pyarrow)", "copies, computes nothing", "floor"),
    "trunkrate": ("trunkrate", "everything on: ledger, log, checks", "trunkrate"),
    "duckdb-whole": ("DuckDB", "the same job, in SQL", "rival"),
    "polars-whole": ("polars", "the same job, in Python", "rival"),
    "duckdb": ("DuckDB, less", "the legs alone, in SQL", "less"),
    "polars": ("polars, less", "the legs alone, in Python", "less"),
    "postgres": ("PostgreSQL, less", "the legs alone, in SQL", "less"),
}
GROUPS = [
    ["floor", "floor-duckdb", "floor-pyarrow"],
    ["trunkrate", "duckdb-whole", "polars-whole"],
    ["duckdb", "polars", "postgres"],
]
WIDTH, LEFT, BAR, GAP, TOP, ROW = 900, 252, 200, 140, 112, 54
MEMORY_LEFT = LEFT + BAR + GAP
STYLE = """
    text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 14px; fill: #1f2328 }
    .card { fill: #ffffff; stroke: #d1d9e0 } .title { font-size: 18px; font-weight: 600 } .ours { font-weight: 600 }
    .small { font-size: 12px; fill: #59636e } .head { font-size: 13px; font-weight: 600 }
    .line { stroke: #d1d9e0 } .break { stroke: #ffffff; stroke-width: 3; fill: none }
    .trunkrate { fill: #0969da } .floor { fill: #818b98 } .rival { fill: #bc7a1c } .less { fill: #dcb67a } .parquet { opacity: 0.5 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .card { fill: #0d1117; stroke: #3d444d } .small { fill: #9198a1 } .line { stroke: #3d444d } .break { stroke: #0d1117 }
      .trunkrate { fill: #4493f8 } .floor { fill: #656c76 } .rival { fill: #d29922 } .less { fill: #7a5f2a }
    }"""


def largest(report):
    """engine -> source -> (calls, row) of the largest size that was measured."""
    found = {}
    for size in sorted(report["sizes"], key=lambda size: size["calls"]):
        for row in size["rows"]:
            if row["source"] and row["engine"] in DRAWN:
                found.setdefault(row["engine"], {})[row["source"]] = size["calls"], row
    return found


def seconds(calls, row):
    return row["cpu_seconds"]["median"] * 1_000_000 / calls


def millions(calls):
    return f"{calls // 1_000_000} million" if calls % 1_000_000 == 0 else f"{calls:,}"


def memory_text(mib):
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def text(x, y, content, kind="", anchor="start"):
    return f'  <text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def bar(x, y, height, value, full, kind, label, label_kind):
    """A bar and its label. One that is longer than `full` is cut off, with a gap that says so."""
    width = max(2, min(BAR, round(BAR * value / full)))
    parts = [f'  <rect x="{x}" y="{y}" width="{width}" height="{height}" rx="2" class="{kind}"/>']
    if value > full:
        parts.append(
            f'  <path d="M{x + BAR - 22} {y + height + 2} l8 -{height + 4}" class="break"/>'
        )
    parts.append(
        text(x + width + 8, y + height // 2 + (5 if height > 10 else 4), label, label_kind)
    )
    return parts


def draw(report):
    found = largest(report)
    engines = [
        engine
        for group in GROUPS
        for engine in sorted(
            (engine for engine in group if engine in found),
            key=lambda e: seconds(*next(iter(found[e].values()))),
        )
    ]
    measured = [
        pair for engine in engines if engine != "postgres" for pair in found[engine].values()
    ]
    full_cpu = max(seconds(*pair) for pair in measured)
    full_memory = max(
        row["peak_mib"]["median"] for sources in found.values() for _, row in sources.values()
    )
    both = any(len(sources) == 2 for sources in found.values())
    most = max(calls for calls, _ in measured)
    machine = report["machine"]
    height = TOP + ROW * len(engines) + 44

    body = [
        text(24, 38, "What it costs to rate a million calls", "title"),
        text(
            24,
            60,
            f"Measured on {millions(most)}; shorter is better."
            + (" Wide bars: calls from CSV. Thin bars: the same from Parquet." if both else ""),
            "small",
        ),
        text(LEFT, 94, "CPU seconds per million (× polars' floor)", "head"),
        text(MEMORY_LEFT, 94, f"peak memory for {millions(most)}", "head"),
    ]
    spoken = []
    for number, engine in enumerate(engines):
        y = TOP + ROW * number
        name, what, kind = DRAWN[engine]
        body.append(f'  <line x1="24" x2="{WIDTH - 24}" y1="{y - 6}" y2="{y - 6}" class="line"/>')
        body.append(text(24, y + 17, name, "ours" if engine == "trunkrate" else ""))
        calls = next(iter(found[engine].values()))[0]
        body.append(
            text(24, y + 34, what + (f" ({millions(calls)})" if calls != most else ""), "small")
        )
        for source, (calls, row) in found[engine].items():
            wide = source == "csv" or len(found[engine]) == 1
            top, thick, faded = (y + 3, 20, "") if wide else (y + 28, 8, " parquet")
            cpu, peak = seconds(calls, row), row["peak_mib"]["median"]
            label = ("ours" if engine == "trunkrate" else "") if wide else "small"
            to_floor = "" if kind == "floor" else f" ({row['cpu_to_floor']:.1f}×)"
            body += bar(
                LEFT, top, thick, cpu, full_cpu, kind + faded, f"{cpu:.2f} s{to_floor}", label
            )
            body += bar(
                MEMORY_LEFT, top, thick, peak, full_memory, kind + faded, memory_text(peak), label
            )
            spoken.append(
                f"{name}, {what}, from {source}: {cpu:.2f} CPU seconds, {memory_text(peak)}"
            )
    who = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
    used = [
        f"{name} {version}"
        for name, version in report["versions"].items()
        if version and name != "python"
    ]
    body.append(text(24, height - 18, who + ", ".join(used) + f"; {report['when'][:10]}", "small"))
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0'
            f' 0 {WIDTH} {height}" role="img" aria-labelledby="title desc">'
        ),
        (
            '  <title id="title">CPU seconds per million calls and peak memory: trunkrate, copies'
            " that compute nothing, and rivals</title>"
        ),
        f'  <desc id="desc">{escape("; ".join(spoken))}.</desc>',
        f"  <style>{STYLE}\n  </style>",
        f'  <rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" class="card"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_text(draw(json.loads(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
