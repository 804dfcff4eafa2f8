#!/usr/bin/env python3
"""The whole job in PostgreSQL 15 with the `prefix` extension: starts a server of its own, runs
rival_postgres.sql, stops it.

    rival_postgres.py CALLS.csv RATES OUT       writes OUT/totals.csv; prints what the job took as
    JSON

The server's data are in OUT and go with it; it listens on the loopback only, on a free port, with a
password of its own.
Counted is the job alone, from the first COPY to the last total: the CPU of server and clients, and
the server's memory
(proportional set sizes, twice a second). initdb, start and stop are not. Linux only; root runs the
server as `postgres`.
"""

import csv
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path

BIN = Path("/usr/lib/postgresql/15/bin")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 10,
    "shared_buffers": "2GB",
    "work_mem": "512MB",
    "maintenance_work_mem": "1GB",
    "jit": "off",
    "autovacuum": "off",
    # Nothing here has to survive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_wal_size": "8GB",
}
TABLES = """
CREATE EXTENSION prefix;
CREATE UNLOGGED TABLE calls (sid text, parent_call_sid text, account_sid text, trunk_sid text, direction text, a text, b text, start_time text,
  end_time text, duration integer, status text, price text, price_unit text, refer_to text);
CREATE UNLOGGED TABLE published (iso text, country text, description text, price text, origins text, destinations text, service text);
"""


# ---- What processes take -------------------------------------------------------------------------


def family(pid):
    """A process and its children: process id -> the numbers of /proc/PID/stat behind the name."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended just now
        if int(entry.name) == pid or int(stat[1]) == pid:
            found[int(entry.name)] = stat
    return found


def cpu_seconds(pid):
    """Of the server: its own, its living children's, and those of the children that it has waited
    for."""
    processes = family(pid)
    ticks = (
        sum(int(stat[11]) + int(stat[12]) for stat in processes.values())
        + int(processes[pid][13])
        + int(processes[pid][14])
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    total = 0
    for process in family(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


class Peak(threading.Thread):
    """Looks at the server's memory twice a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.mib, self.done = pid, 0.0, threading.Event()

    def run(self):
        while not self.done.wait(0.5):
            self.mib = max(self.mib, memory_mib(self.pid))


# ---- The server ----------------------------------------------------------------------------------


def fail(message):
    sys.exit(f"rival_postgres.py: {message}")


class Server:
    """A server in a folder of its own, while the `with` block lasts."""

    def __init__(self, folder):
        self.folder, self.password = folder, secrets.token_hex(16)
        self.owner = {}
        if os.geteuid() == 0:  # which the server refuses to be
            try:
                account = pwd.getpwnam("postgres")
            except KeyError:
                fail("no user `postgres`; hint: apt install postgresql-15")
            self.owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(folder, account.pw_uid, account.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        secret = self.folder / "password"
        secret.write_text(self.password)
        os.chmod(secret, 0o600)
        if self.owner:
            os.chown(secret, self.owner["user"], self.owner["group"])
        command = [
            BIN / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "bench",
            "-A",
            "scram-sha-256",
            "--pwfile",
            secret,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        made = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, **self.owner
        )
        if made.returncode != 0:
            fail(f"initdb failed: {made.stderr.strip()}")
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "wb") as log:
            command = [
                BIN / "postgres",
                "-D",
                self.folder / "data",
                "-p",
                str(self.port),
                *settings,
            ]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.owner,
            )
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                fail(
                    f"the server ended: {(self.folder / 'log').read_text(errors='replace')[-2000:]}"
                )
            if (
                subprocess.run(
                    [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
                ).returncode
                == 0
            ):
                return
            time.sleep(0.1)
        fail("the server did not start within 30 s")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def psql(self, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        """Runs psql; returns its own CPU seconds."""
        command = [
            BIN / "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "bench",
            "-d",
            "postgres",
            *arguments,
        ]
        client = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, env={**os.environ, "PGPASSWORD": self.password}
        )
        _, status, usage = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
        if client.returncode != 0:
            fail(f"psql {' '.join(map(str, arguments[-2:]))} failed with {client.returncode}")
        return usage.ru_utime + usage.ru_stime


# ---- The job -------------------------------------------------------------------------------------


def variables(rates):
    """What rival_postgres.sql asks for: the deck's terms, and how many digits its longest prefixes
    have."""
    terms = tomllib.loads((rates / "deck.toml").read_text())
    longest = {"Destination Prefixes": 1, "Origination Prefixes": 1}
    for path in rates.glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for column in longest:
                    longest[column] = max(longest[column], *map(len, row[column].split(", ")))
    values = {
        "destination_digits": longest["Destination Prefixes"],
        "origin_digits": longest["Origination Prefixes"],
        "fee": terms["connection_fee"],
        "minimum": terms["minimum"],
        "initial": terms["initial_increment"],
        "increment": terms["increment"],
    }
    return [part for name, value in values.items() for part in ("-v", f"{name}={value}")]


def job(server, calls, rates, out):
    """Calls and rates in, totals out. Returns the clients' CPU seconds."""
    client_cpu = server.psql("-c", TABLES)
    for table, path in [
        ("calls", calls),
        *(("published", path) for path in sorted(rates.glob("*.csv"))),
    ]:
        with open(path, "rb") as file:
            client_cpu += server.psql(
                "-c", f"COPY {table} FROM STDIN (FORMAT csv, HEADER)", stdin=file
            )
    with open(out / "totals.csv", "wb") as totals:
        return client_cpu + server.psql(
            *variables(rates), "-f", Path(__file__).with_suffix(".sql"), stdout=totals
        )


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    calls, rates, out = (Path(argument).resolve() for argument in sys.argv[1:])
    if (
        not (BIN / "postgres").exists()
        or not (BIN / "../../../../share/postgresql/15/extension/prefix.control").exists()
    ):
        fail(
            "no PostgreSQL 15 with its prefix extension; hint: apt install postgresql-15"
            " postgresql-15-prefix, or --without postgres"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server must not outlive a kill
    os.chmod(out, 0o711)  # the server's user must reach its own folder in it
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=out))
    try:
        with Server(folder) as server:
            pid = server.process.pid
            peak = Peak(pid)
            peak.start()
            began, before = time.perf_counter(), cpu_seconds(pid)
            clients = job(server, calls, rates, out)
            measures = {
                "wall_seconds": time.perf_counter() - began,
                "cpu_seconds": cpu_seconds(pid) - before + clients,
            }
            peak.done.set()
            peak.join()
            print(json.dumps({**measures, "peak_mib": peak.mib}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
