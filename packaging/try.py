"""dist/ as people install it: the wheel in a virtual environment, the Debian package in a bare
Debian root.

The wheel must show an explained call; how long that took from nothing, downloads included, is
printed (a minute is
wanted; a slow network fails no test). The package must run the night as its service does, as the
user that it makes, and
leave the report. Needs debootstrap, and root for the second.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
CALL = "CA20261120000000000000000000000108"


def only(pattern):
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"dist/{pattern}: found {found}; expected one: make dist"
    return found[0]


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    assert (
        done.returncode == 0
    ), f"{command}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def checksums():
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=DIST)
    named = {line.split("  ")[1] for line in lines}
    there = {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert named == there, f"SHA256SUMS names {named}; dist/ has {there}"


def wheel(folder):
    began = time.monotonic()
    run(sys.executable, "-m", "venv", folder / "venv")
    run(folder / "venv/bin/pip", "install", "--quiet", "--no-cache-dir", only("*.whl"))
    shown = run(folder / "venv/bin/trunkrate", "demo", folder / "demo")
    seconds = time.monotonic() - began
    assert f"$ trunkrate explain {CALL}" in shown and "0.25300 USD" in shown, shown
    assert (folder / "demo/report.html").is_file()
    script = "import trunkrate; print(trunkrate.rate.__doc__ is not None)"
    assert run(folder / "venv/bin/python", "-c", script) == "True\n"
    run(folder / "venv/bin/pip", "check")
    print(f"wheel: installed, and the demo run, in {seconds:.0f} s")


def tarball(folder):
    run("tar", "-xzf", only("*.tar.gz"), "-C", folder)
    top = next(path for path in folder.iterdir() if path.name.startswith("trunkrate-"))
    run(top / "bin/trunkrate", "demo", folder / "demo")
    assert (top / "share/man/man1/trunkrate.1.gz").is_file()
    assert (top / "share/doc/trunkrate/docs/src/tutorial/first-night.md").is_file()
    print("tarball: unpacked, and the demo run")


def service(unit):
    """The command, the user and the folder of the service, as systemd would take them."""
    lines = [line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line]
    settings = {key: value for key, value in lines}
    return settings["ExecStart"], settings["User"], settings["WorkingDirectory"]


def debian(folder):
    root = folder / "root"
    release = next(
        line.split("=")[1].strip()
        for line in Path("/etc/os-release").read_text().splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    run("debootstrap", "--variant=minbase", release, root, *mirror())
    package = only("*.deb")
    shutil.copy(package, root / "tmp")

    def inside(*command):
        return run(
            "chroot",
            root,
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            *command,
        )

    # The demo starts the program again, by what /proc says of it.
    run("mount", "--bind", "/proc", root / "proc")
    try:
        inside("dpkg", "-i", f"/tmp/{package.name}")
        command, user, home = service(root / "lib/systemd/system/trunkrate.service")
        assert inside("id", "-un", user) == f"{user}\n"
        inside("trunkrate", "demo", "/tmp/sample")
        inside(
            "sh",
            "-c",
            f"cp -r /tmp/sample/calls /tmp/sample/rates {home} && chown -R {user}: {home}",
        )
        night = [
            "runuser",
            "-u",
            user,
            "--",
            "sh",
            "-c",
            f"umask 0077; cd {home} && exec {command}",
        ]
        said = inside(*night)
        assert "legs" in said, said
        report = root / home.lstrip("/") / "morning/report.html"
        assert "</html>" in report.read_text()
        modes = {
            path: path.stat().st_mode & 0o077
            for path in (root / home.lstrip("/") / "ledger").rglob("*")
        }
        assert modes and not any(
            modes.values()
        ), f"others can read {[path for path, mode in modes.items() if mode]}"
        assert (root / "usr/share/man/man1/trunkrate-run.1.gz").is_file()
        # The ledger outlives the package, also a purge.
        inside("dpkg", "--purge", "trunkrate")
        assert (
            not (root / "usr/bin/trunkrate").exists()
            and (report.parent.parent / "ledger/runs").is_dir()
        )
    finally:
        run("umount", root / "proc")
    print(
        "Debian package: installed in a bare root, the night run as its service does, removed; the"
        " ledger stays"
    )


def mirror():
    """The mirror that this machine itself is installed from; debootstrap's own without one."""
    for path in [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]:
        for line in path.read_text().splitlines() if path.exists() else []:
            words = [word for word in line.split() if word.startswith("http")]
            if line.startswith(("URIs:", "deb ")) and words:
                return words[:1]
    return []


def container():
    builder = next((name for name in ["podman", "docker"] if shutil.which(name)), None)
    if builder is None:
        print("container: not tried, there is no podman and no docker here")
        return
    run(builder, "build", "-q", "-t", "trunkrate-try", "-f", "Containerfile", ".", cwd=DIST)
    run(builder, "run", "--rm", "trunkrate-try", "demo", "/night/demo")
    print("container: built, and the demo run")


def main():
    checksums()
    for step in [wheel, tarball, debian]:
        if step is debian and os.geteuid() != 0:
            print("Debian package: not tried, a bare root needs root")
            continue
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            step(Path(folder))
    container()


if __name__ == "__main__":
    main()
