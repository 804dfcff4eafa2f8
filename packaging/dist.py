"""What people install, in dist/: wheel, Debian package, tarball, container context, SBOM,
checksums.

    target/release/trunkrate ─┬▶ trunkrate-VERSION-x86_64-linux.tar.gz
    target/wheels/*.whl ──────┼▶ trunkrate-VERSION-cp310-abi3-manylinux_2_NN_x86_64.whl, the command
    inside
    packaging/ ───────────────┴▶ trunkrate_VERSION_amd64.deb, Containerfile

Same binary and wheel, same bytes: times are the commit's, owners are root, names are sorted. It
needs dpkg-deb and
objdump, and that `make dist` has built both.

Why no tool for all of it: cargo-deb, maturin and nfpm each make one of these; none puts a command
beside an extension
module into one wheel, and two builds of the binary (polars: minutes) would have to be kept the
same.
"""

import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import uuid
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
BINARY = ROOT / "target/release/trunkrate"
PACKAGING = ROOT / "packaging"
SHELLS = {
    "bash": "share/bash-completion/completions/trunkrate",
    "zsh": "share/zsh/vendor-completions/_trunkrate",
    "fish": "share/fish/vendor_completions.d/trunkrate.fish",
}
# The wheel is for PyPI, whose projects may take much; but a download is a wait.
MOST_WHEEL_BYTES = 45 * 10**6


def output(*command, **more):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, **more
    ).stdout


def commit_time():
    """Seconds since 1970: SOURCE_DATE_EPOCH, else the commit's; a tree without git says no time,
    and gets a fixed one."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    try:
        return int(output("git", "log", "-1", "--format=%ct"))
    except (OSError, subprocess.CalledProcessError):
        return 1_767_225_600  # 2026-01-01


def glibc_of(binary):
    """The newest version of glibc that the binary asks for, as (2, 34)."""
    needs = output("objdump", "-p", str(binary))
    found = [(int(major), int(minor)) for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", needs)]
    assert found, f"{binary}: no version of glibc; expected a dynamic binary"
    # Packed relocations (build.rs) are no symbol: glibc knows them since 2.36.
    packed = [(2, 36)] if ".relr.dyn" in output("objdump", "-h", str(binary)) else []
    return max(found + packed)


def compressed(text):
    return gzip.compress(text, 9, mtime=0)


def tree(version):
    """Path below /usr -> (bytes, mode), of the tarball and the package."""
    files = {"bin/trunkrate": (BINARY.read_bytes(), 0o755)}
    pages = DIST / "man"
    output(str(BINARY), "man", "--out", str(pages))
    for page in sorted(pages.iterdir()):
        files[f"share/man/man1/{page.name}.gz"] = (compressed(page.read_bytes()), 0o644)
    shutil.rmtree(pages)
    for shell, path in SHELLS.items():
        files[path] = (output(str(BINARY), "completions", shell).encode(), 0o644)
    doc = "share/doc/trunkrate"
    for name in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"]:
        files[f"{doc}/{name}"] = ((ROOT / name).read_bytes(), 0o644)
    # Where README's links lead: the pages as they are written, for a pager or an editor.
    for page in sorted([*(ROOT / "docs/src").rglob("*.md"), *(ROOT / "docs/pictures").iterdir()]):
        files[f"{doc}/{page.relative_to(ROOT)}"] = (page.read_bytes(), 0o644)
    files[f"{doc}/changelog.gz"] = (compressed((ROOT / "CHANGELOG.md").read_bytes()), 0o644)
    files[f"{doc}/copyright"] = (copyright_of(version).encode(), 0o644)
    return files


def copyright_of(version):
    return (
        "Format:"
        " https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name:"
        f" trunkrate\nComment: version {version}; the crates inside are listed in the SBOM beside"
        " the package\n\nFiles: *\nCopyright: the authors of trunkrate\nLicense: MIT or"
        " Apache-2.0\n The texts are in /usr/share/doc/trunkrate: LICENSE-MIT and"
        " LICENSE-APACHE.\n"
    )


def tarball(version, files, when):
    top = f"trunkrate-{version}-x86_64-linux"
    path = DIST / f"{top}.tar.gz"
    services = {
        f"lib/systemd/system/{name}": ((PACKAGING / name).read_bytes(), 0o644) for name in SERVICES
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (content, mode) in sorted((files | services).items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), mode, when
            archive.addfile(entry, io.BytesIO(content))
    path.write_bytes(compressed(buffer.getvalue()))
    return path


SERVICES = ["trunkrate.service", "trunkrate.timer"]


def debian(version, files, when):
    glibc = ".".join(map(str, glibc_of(BINARY)))
    stage = DIST / "stage"
    everything = {f"usr/{name}": file for name, file in files.items()}
    for name in SERVICES:
        everything[f"lib/systemd/system/{name}"] = ((PACKAGING / name).read_bytes(), 0o644)
    everything["etc/trunkrate/trunkrate.toml"] = (
        (PACKAGING / "trunkrate.toml").read_bytes(),
        0o644,
    )
    size = sum(len(content) for content, _ in everything.values())
    control = (
        f"Package: trunkrate\nVersion: {version}\nSection: net\nPriority: optional\nArchitecture:"
        f" amd64\nDepends: libc6 (>= {glibc}), libgcc-s1, passwd\nInstalled-Size:"
        f" {size // 1024}\nMaintainer: the authors of trunkrate"
        " <trunkrate@example.org>\nDescription: rating and billing of SIP trunk calls with call"
        " transfer\n Rates the calls of a SIP trunk that supports blind transfer (SIP REFER) by"
        " the\n carrier's published table, books them in a ledger, writes invoices, and explains\n"
        " every cent of a call. A systemd timer runs the nightly batch.\n"
    )
    everything["DEBIAN/control"] = (control.encode(), 0o644)
    everything["DEBIAN/conffiles"] = (b"/etc/trunkrate/trunkrate.toml\n", 0o644)
    for name in ["postinst", "prerm", "postrm"]:
        everything[f"DEBIAN/{name}"] = ((PACKAGING / name).read_bytes(), 0o755)
    for name, (content, mode) in everything.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    for folder in [stage, *(path for path in stage.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    path = DIST / f"trunkrate_{version}_amd64.deb"
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(when)}
    output(
        "dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(stage), str(path), env=environment
    )
    shutil.rmtree(stage)
    return path


def wheel(version, when):
    """maturin's wheel with the command as a script. Its tag says the glibc that the newer of the
    two needs."""
    built = list((ROOT / "target/wheels").glob(f"trunkrate-{version}-*.whl"))
    assert len(built) == 1, f"target/wheels: found {built}; expected one wheel of version {version}"
    major, minor = glibc_of(BINARY)
    platform = f"manylinux_{major}_{minor}_x86_64"
    path = DIST / f"trunkrate-{version}-cp310-abi3-{platform}.whl"
    info = f"trunkrate-{version}.dist-info"
    files = {}
    with zipfile.ZipFile(built[0]) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                files[entry.filename] = (
                    archive.read(entry),
                    entry.external_attr >> 16 & 0o777 or 0o644,
                )
    del files[f"{info}/RECORD"]
    tags = files[f"{info}/WHEEL"][0].decode()
    tagged, count = re.subn(r"(?m)^Tag: cp310-abi3-.*\n", "", tags)
    assert count > 0, f"{built[0]}: no tag cp310-abi3 in WHEEL"
    tagged = tagged.rstrip("\n") + f"\nTag: cp310-abi3-{platform}\n"
    files[f"{info}/WHEEL"] = (tagged.encode(), 0o644)
    files[f"trunkrate-{version}.data/scripts/trunkrate"] = (BINARY.read_bytes(), 0o755)
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, (content, _) in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([f"{info}/RECORD", "", ""])
    files[f"{info}/RECORD"] = (record.getvalue().encode(), 0o644)
    # The format knows no time before 1980, and none finer than two seconds.
    stamp = tuple(max(part, least) for part, least in zip(time.gmtime(when), (1980, 1, 1, 0, 0, 0)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (content, mode) in sorted(
            files.items(), key=lambda file: (info in file[0], file[0])
        ):
            entry = zipfile.ZipInfo(name, stamp)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    size = path.stat().st_size
    assert size <= MOST_WHEEL_BYTES, f"{path}: {size} bytes; at most {MOST_WHEEL_BYTES} are wanted"
    return path


def sbom(version, when):
    """CycloneDX 1.5: the crates in the binary, from Cargo's own resolution, without those of tests
    and build scripts."""
    data = json.loads(
        output(
            "cargo",
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        )
    )
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    top = next(key for key, package in packages.items() if package["name"] == "trunkrate")
    needed, left = set(), [top]
    while left:
        if (key := left.pop()) not in needed:
            needed.add(key)
            for dep in nodes[key]["deps"]:
                if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                    left.append(dep["pkg"])

    def component(package, kind):
        found = {"type": kind, "name": package["name"], "version": package["version"]}
        found["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        found["bom-ref"] = found["purl"]
        if package["license"]:
            found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        return found

    def ref(key):
        return f"pkg:cargo/{packages[key]['name']}@{packages[key]['version']}"

    crates = sorted(
        (component(packages[key], "library") for key in needed - {top}),
        key=lambda found: found["purl"],
    )
    links = sorted(
        (
            {
                "ref": ref(key),
                "dependsOn": sorted(
                    {ref(dep["pkg"]) for dep in nodes[key]["deps"]} & {ref(k) for k in needed}
                ),
            }
            for key in needed
        ),
        key=lambda link: link["ref"],
    )
    text = json.dumps([crates, links], sort_keys=True)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(when),
            "component": component(packages[top], "application"),
        },
        "components": crates,
        "dependencies": links,
    }
    path = DIST / f"trunkrate-{version}.cdx.json"
    path.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n")
    return path


def timestamp(when):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def main():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    said = output(str(BINARY), "--version").strip()
    assert said == f"trunkrate {version}", f"{BINARY} says {said}; build it anew: make dist"
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    when = commit_time()
    files = tree(version)
    made = [
        tarball(version, files, when),
        debian(version, files, when),
        wheel(version, when),
        sbom(version, when),
    ]
    shutil.copy(PACKAGING / "Containerfile", DIST)
    made.append(DIST / "Containerfile")
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made)
    )
    (DIST / "SHA256SUMS").write_text(sums)
    for path in sorted(made):
        print(f"{path.stat().st_size / 10**6:8.1f} MB  dist/{path.name}")


if __name__ == "__main__":
    sys.exit(main())
