"""One child process, measured; what every run of trunkrate must say; the machine that it ran on.
For all benchmarks here."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

CLASSES = ("rated", "free", "duplicate", "ignored", "suspended")


def fail(message):
    """Ends the comparison: exit code 1, whatever the temporary folders' owners have to clean up on
    the way out."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    raise SystemExit(1)


# ---- One child process ---------------------------------------------------------------------------


def measure(name, command, folder, environment):
    """Runs `command` in `folder`. Returns (its measures, its standard output); a failure ends the
    comparison.

    The kernel's own account of the child is used: with os.wait4 nothing of another run slips in.
    ru_maxrss is in KiB
    on Linux, in bytes on macOS. A child cannot show less than this process had when it started it,
    some 20 MiB.
    """
    with open(folder / "stdout", "w+b") as out, open(folder / "stderr", "w+b") as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.terminate()  # it may have a server to stop
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            raise
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            complaint = err.read().decode(errors="replace").strip()
            fail(
                f"{name} failed with {child.returncode}:"
                f" {' '.join(map(str, command))}\n{complaint[-4000:]}"
            )
        unit = 1024 if sys.platform != "darwin" else 1
        return {
            "wall_seconds": wall,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "user_seconds": usage.ru_utime,
            "system_seconds": usage.ru_stime,
            "peak_mib": usage.ru_maxrss * unit / 1024**2,
            "minor_faults": usage.ru_minflt,
        }, out.read()


def check_summary(text, expected, who="trunkrate"):
    """The conservation law, and the counts the generator knows: a run that skips work must not look
    fast.

    A count that is expected and not there is wrong too.
    """
    try:
        summary = json.loads(text)
        total = sum(summary[name] for name in CLASSES)
        taken = summary["read"] + summary.get("retried", 0)
    except (ValueError, KeyError, TypeError) as error:
        fail(
            f"the summary of {who} is no JSON object with read, {', '.join(CLASSES)}:"
            f" {error!r}\n{text[:2000]!r}"
        )
    if taken != total:
        fail(f"{who} took {taken} records and accounts for {total}: {summary}")
    wrong = [
        f"{name}: expected {count}, found {summary.get(name, 'nothing')}"
        for name, count in expected.items()
        if summary.get(name) != count
    ]
    if wrong:
        fail(
            f"the summary of {who} is wrong: {'; '.join(wrong)}; suspended_by_reason:"
            f" {summary.get('suspended_by_reason')}"
        )
    return summary


# ---- What it ran on ------------------------------------------------------------------------------


def first_line(command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.splitlines()
    return lines[0] if lines else None


def field(path, name):
    """The value of `name: value` in a file of /proc, or None."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == name),
        None,
    )


def machine():
    memory = field("/proc/meminfo", "MemTotal")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": cores,
        "memory_gib": round(int(memory.split()[0]) / 1024**2, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }
