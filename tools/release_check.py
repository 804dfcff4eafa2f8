"""What a release must be, step by step; `make release-check` builds the book and dist/ first.

    version    one version everywhere, at the head of CHANGELOG.md, not released yet; rust-version
    in every crate
    deny       cargo deny: licences, sources, advisories
    same       a second build gives the same bytes: the command, and every file of dist/
    package    cargo package of each crate
    docs dist  the book and the packages are there, and are of this version

    python3 tools/release_check.py [STEP...]      all steps, or these

`same` takes the tree of the last commit into another folder, with the compiled crates of others
(polars, typst), and
builds ours there anew. It shows that neither our code nor the folder's name is in the bytes. That
the crates of others
build to the same bytes it does not show: that would take 20 minutes for each of two cold builds.

`package` compiles kernel, inputs and audit as they would be downloaded. The command is packed
without that: its 600 crates
would be built anew in a third profile, and its files are the ones that `make test` builds.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ["trunkrate", "trunkrate-kernel", "trunkrate-inputs", "trunkrate-audit"]
SMALL = ["trunkrate-kernel", "trunkrate-inputs", "trunkrate-audit"]


def run(*command, cwd=ROOT, **more):
    words = [str(word) for word in command]
    print("$", " ".join(words), flush=True)
    done = subprocess.run(words, cwd=cwd, text=True, stdout=subprocess.PIPE, **more)
    assert done.returncode == 0, f"{words}: ended with {done.returncode}\n{done.stdout}"
    return done.stdout


def own_version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def version():
    wanted = own_version()
    assert re.fullmatch(
        r"\d+\.\d+\.\d+", wanted
    ), f"Cargo.toml: version {wanted}; expected three numbers"
    heads = re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text())
    head = f"{wanted} ("
    assert heads and heads[0].startswith(head), (
        f"CHANGELOG.md begins with `## {heads[0]}`; expected `## {wanted} (YYYY-MM-DD)`: name the"
        " release, or raise the version"
    )
    tags = run("git", "tag", "--list", f"v{wanted}").split()
    assert not tags, f"v{wanted} is tagged already: raise the version in Cargo.toml"
    data = json.loads(run("cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"))
    for package in data["packages"]:
        name = package["name"]
        assert (
            package["version"] == wanted
        ), f"{name} has version {package['version']}; expected {wanted}"
        assert package["rust_version"], f"{name} has no rust-version"
        assert package["license"] and package["description"], f"{name}: licence and description"
        for dep in package["dependencies"]:
            if dep["path"] and dep["kind"] != "dev" and name != "trunkrate-python":
                assert (
                    wanted in dep["req"]
                ), f"{name}: {dep['name']} has no version; expected {wanted}"
    print(
        f"version {wanted}, {len(data['packages'])} crates, rust"
        f" {data['packages'][0]['rust_version']}"
    )


def deny():
    tool = ROOT / "target/tools/bin/cargo-deny"
    assert tool.exists(), "target/tools/bin/cargo-deny is missing: make release-check builds it"
    run(tool, "--log-level", "warn", "check", "advisories", "licenses", "bans", "sources")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dist_of(root):
    return {path.name: digest(path) for path in (root / "dist").iterdir() if path.is_file()}


def same():
    changed = run("git", "status", "--porcelain", "--untracked-files=no").strip()
    assert not changed, f"changed files are in no commit, so in no release:\n{changed}"
    again = ROOT / "target/again"
    shutil.rmtree(again, ignore_errors=True)
    again.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
        tree.extractall(again, filter="data")
    release = again / "target/release"
    release.mkdir(parents=True)
    # What cargo knows of the crates of others; times are kept, by which it knows that they are
    # built.
    for name in ["deps", "build", ".fingerprint"]:
        run("cp", "-a", "--reflink=auto", ROOT / "target/release" / name, release / name)
    owned = {name.replace("-", "_") for name in OURS}
    for folder in ["deps", ".fingerprint", "build"]:
        for path in (release / folder).iterdir():
            stem = path.name.removeprefix("lib").rsplit("-", 1)[0].replace("-", "_")
            if stem in owned or stem == "it":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    environment = {**os.environ, "CARGO_INCREMENTAL": "0"}
    run("cargo", "build", "--release", "--locked", "--bin", "trunkrate", cwd=again, env=environment)
    first, second = ROOT / "target/release/trunkrate", release / "trunkrate"
    assert digest(first) == digest(second), f"{first} and {second} differ"
    shutil.copytree(
        ROOT / "target/wheels", again / "target/wheels", ignore=shutil.ignore_patterns("venv")
    )
    when = run("git", "log", "-1", "--format=%ct").strip()
    run(
        sys.executable,
        "packaging/dist.py",
        cwd=again,
        env={**environment, "SOURCE_DATE_EPOCH": when},
    )
    found, wanted = dist_of(again), dist_of(ROOT)
    assert (
        found == wanted
    ), f"dist/ differs: {sorted(name for name in wanted if found.get(name) != wanted[name])}"
    shutil.rmtree(again)
    print(
        f"the command ({digest(first)[:16]}…) and {len(wanted)} files of dist/: the same bytes"
        " twice"
    )


def package():
    allow = [] if os.environ.get("RELEASE_CLEAN") else ["--allow-dirty"]
    small = [word for name in SMALL for word in ("--package", name)]
    run("cargo", "package", "--locked", *allow, *small, "--target-dir", "target/package-check")
    every = [word for name in OURS for word in ("--package", name)]
    run(
        "cargo",
        "package",
        "--locked",
        "--no-verify",
        *allow,
        *every,
        "--target-dir",
        "target/package-check",
    )
    for name in OURS:
        path = ROOT / f"target/package-check/package/{name}-{own_version()}.crate"
        size = path.stat().st_size
        # crates.io takes 10 MiB.
        assert size < 10 * 2**20, f"{path}: {size} bytes; at most 10 MiB can be published"
        print(f"{name}: {size / 2**20:.1f} MiB")


def docs():
    book = ROOT / "target/docs/book"
    for name in ["index.html", "tutorial/first-night.html", "reference/reasons.html"]:
        assert (book / name).exists(), f"{book / name} is missing: make docs"


def dist():
    wanted = own_version()
    assert (ROOT / "dist").is_dir(), "dist/ is missing: make dist"
    names = [path.name for path in (ROOT / "dist").iterdir()]
    for ending in [".whl", ".deb", ".tar.gz", ".cdx.json"]:
        assert any(
            name.endswith(ending) and wanted in name for name in names
        ), f"dist/ has no {ending} of {wanted}: make dist"
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=ROOT / "dist")


STEPS = {step.__name__: step for step in (version, deny, docs, dist, package, same)}


def main(names):
    unknown = [name for name in names if name not in STEPS]
    assert not unknown, f"no such step: {unknown}; expected some of {list(STEPS)}"
    failed = []
    for name in names or STEPS:
        print(f"--- {name}", flush=True)
        try:
            STEPS[name]()
        except AssertionError as problem:
            failed.append(name)
            print(f"{name}: {problem}", file=sys.stderr)
    if failed:
        print(f"no release yet: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
