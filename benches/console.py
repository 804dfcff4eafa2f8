"""What the console's pages take under twenty users while a night is booked.

usage: console.py BINARY LEDGER [--seconds 60] [--users 20] [--think 1.0] [--night CALLS RATES]

If a night is booked, it is booked into a copy of LEDGER (published files are linked: nothing
changes them). Each user
asks for one page after the other, of all kinds, each call and customer another one, and looks at it
for --think seconds on
average. JSON out: by kind of page the count, the median, the 99th percentile and the longest in
milliseconds; of the process the peak of its memory, and its descriptors and memory before and
after.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time


def status(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise SystemExit(f"no {name} of {pid}")


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, body, answer.getheader("Refresh")


def connect(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


def warm(port, paths):
    """Until nothing is computed any more; gives how long that took."""
    begun = time.monotonic()
    for path in paths:
        while True:
            code, _, refresh = get(connect(port), path)
            if code == 200 and not refresh:
                break
            time.sleep(0.5)
    return round(time.monotonic() - begun, 1)


def known(port):
    """Calls, accounts, numbers, to ask for."""
    sids, accounts, numbers, after = [], set(), [], ""
    for _ in range(20):
        page = json.loads(get(connect(port), f"/api/v1/calls?limit=60{after}")[1])
        for family in page["calls"]:
            for call in [family, *family["children"]]:
                if call["call_sid"]:
                    sids.append(call["call_sid"])
                    accounts.add(call["account_sid"])
                    if call["to"] and call["to"].startswith("+"):
                        numbers.append(call["to"][1:])
        if not page["next"]:
            break
        after = "&after=" + page["next"]
    return sids, sorted(accounts), numbers


def copy(ledger, to):
    """A copy whose published files are links to those of the ledger."""
    published = ("runs", "archive", "undone", "invoices")
    to.mkdir()
    for path in pathlib.Path(ledger).rglob("*"):
        own = path.relative_to(ledger)
        if path.is_dir():
            (to / own).mkdir(parents=True, exist_ok=True)
        elif own.parts[0] in published:
            (to / own).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, to / own)
        else:
            shutil.copy2(path, to / own)
    return to


def user(port, ends, asked, lists, think, seed):
    draw = random.Random(seed)
    sids, accounts, numbers = lists
    kinds = [
        ("tonight", lambda: "/"),
        ("calls", lambda: "/calls"),
        ("calls of a customer", lambda: f"/calls?account={draw.choice(accounts)}"),
        ("calls of a number", lambda: f"/calls?number={draw.choice(numbers)}"),
        ("call", lambda: f"/calls/{draw.choice(sids)}"),
        ("call", lambda: f"/calls/{draw.choice(sids)}"),
        ("call as JSON", lambda: f"/api/v1/calls/{draw.choice(sids)}"),
        ("waiting", lambda: "/waiting"),
        ("customers", lambda: "/customers"),
        ("customer", lambda: f"/customers/{draw.choice(accounts)}"),
        ("rates", lambda: f"/rates?number={draw.choice(numbers)}"),
        ("nights", lambda: "/nights"),
    ]
    connection = connect(port)
    while time.monotonic() < ends:
        kind, path = draw.choice(kinds)
        begun = time.monotonic()
        code, _, refresh = get(connection, path())
        asked[kind].append((time.monotonic() - begun, code, bool(refresh)))
        time.sleep(draw.uniform(0, 2 * think))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("ledger")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--think", type=float, default=1.0)
    parser.add_argument("--night", nargs=2, metavar=("CALLS", "RATES"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=pathlib.Path(args.ledger).parent) as folder:
        ledger = args.ledger
        if args.night:
            ledger = copy(args.ledger, pathlib.Path(folder) / "ledger")
        server = subprocess.Popen(
            [
                os.path.abspath(args.binary),
                "serve",
                "--ledger",
                os.path.abspath(ledger),
                "--listen",
                "127.0.0.1:0",
            ],
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        while True:
            line = server.stderr.readline()
            if "http://127.0.0.1:" in line:
                port = int(line.split("http://127.0.0.1:")[1].split("/")[0])
                break
        threading.Thread(target=lambda: collections.deque(server.stderr, 0), daemon=True).start()
        warmed = warm(port, ["/", "/calls", "/waiting", "/customers", "/nights"])
        lists = known(port)
        before = {
            "descriptors": descriptors(server.pid),
            "memory_mib": status(server.pid, "VmRSS") // 1024,
        }
        asked = collections.defaultdict(list)
        ends = time.monotonic() + args.seconds
        users = [
            threading.Thread(target=user, args=(port, ends, asked, lists, args.think, seed))
            for seed in range(args.users)
        ]
        for one in users:
            one.start()
        booked = None
        if args.night:
            calls, rates = args.night
            begun = time.monotonic()
            run = subprocess.run(
                [
                    os.path.abspath(args.binary),
                    "run",
                    "--ledger",
                    os.path.abspath(ledger),
                    "--cdrs",
                    os.path.abspath(calls),
                    "--rates",
                    os.path.abspath(rates),
                    "--format",
                    "json",
                ],
                capture_output=True,
                text=True,
                check=True,
                cwd=folder,
            )
            booked = {
                "seconds": round(time.monotonic() - begun, 1),
                "rated": json.loads(run.stdout)["rated"],
            }
        for one in users:
            one.join()
        time.sleep(3)
        pages = {}
        everything = []
        for kind, all_of in sorted(asked.items()):
            times = sorted(own[0] for own in all_of)
            everything += times
            pages[kind] = told(times) | {
                "not_200": sum(own[1] != 200 for own in all_of),
                "still_computed": sum(own[2] for own in all_of),
            }
        print(
            json.dumps(
                {
                    "users": args.users,
                    "think_seconds": args.think,
                    "seconds": args.seconds,
                    "warmed_in_seconds": warmed,
                    "booked_meanwhile": booked,
                    "all": told(sorted(everything)),
                    "pages": pages,
                    "before": before,
                    "after": {
                        "descriptors": descriptors(server.pid),
                        "memory_mib": status(server.pid, "VmRSS") // 1024,
                    },
                    "peak_mib": status(server.pid, "VmHWM") // 1024,
                },
                indent=1,
            )
        )
        server.terminate()
        server.wait()


def told(times):
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)
    return {"count": len(times), "median_ms": at(0.5), "p99_ms": at(0.99), "longest_ms": at(1)}


if __name__ == "__main__":
    main()
