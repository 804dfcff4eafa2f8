"""Pictures of README and docs, taken from the demo: an invoice, the report of a night.

    python3 tools/pictures.py            writes docs/pictures/{invoice,report}.png

It needs target/release/trunkrate, Chromium, pdftoppm, and the Python of target/validators/venv
(playwright drives the
installed browser; nothing is downloaded) with Pillow, which this program installs there. The
picture of the console is
taken by tests/serve.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "target/validators/venv/bin/python"
PICTURES = ROOT / "docs/pictures"
MOST_BYTES = 150_000


def run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


def shot(browser, path, width, height, dark=False, clip=None):
    page = browser.new_page(
        viewport={"width": width, "height": height},
        device_scale_factor=2,
        color_scheme="dark" if dark else "light",
    )
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    return page.screenshot(clip=clip)


def save(picture, name, width):
    from PIL import Image

    height = round(picture.height * width / picture.width)
    picture = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    path = PICTURES / name
    for colours in (256, 128, 64, 32):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            break
    print(
        f"{path.relative_to(ROOT)}: {picture.width} x {picture.height},"
        f" {path.stat().st_size / 1000:.0f} kB"
    )


def framed(picture, edge=(200, 204, 210)):
    from PIL import ImageOps

    return ImageOps.expand(picture, border=2, fill=edge)


def beside(left, right, gap=48, ground=(255, 255, 255)):
    from PIL import Image

    height = max(left.height, right.height)
    whole = Image.new("RGB", (left.width + gap + right.width, height), ground)
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + gap, 0))
    return whole


def main():
    import io

    from PIL import Image
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        demo = Path(folder) / "demo"
        run(ROOT / "target/release/trunkrate", "demo", demo)
        number = "BT-2026-000002"
        run(
            "pdftoppm",
            "-png",
            "-r",
            "110",
            "-singlefile",
            "-f",
            "1",
            "-l",
            "1",
            demo / f"invoices/{number}.pdf",
            demo / "page",
        )
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        paper = Image.open(demo / "page.png").convert("RGB")
        paper = framed(paper.crop((0, 0, paper.width, round(paper.width * 1.05))))
        phone = Image.open(
            io.BytesIO(shot(browser, demo / f"invoices/{number}.html", 390, 844, dark=True))
        ).convert("RGB")
        phone = framed(
            phone.resize((round(phone.width * paper.height / phone.height), paper.height)),
            (60, 60, 60),
        )
        save(beside(paper, phone), "invoice.png", 1100)
        report = Image.open(io.BytesIO(shot(browser, demo / "report.html", 960, 838))).convert(
            "RGB"
        )
        save(framed(report), "report.png", 1100)
        browser.close()


def chromium():
    import shutil

    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    assert found, "no Chromium; make validators installs it"
    return found


if __name__ == "__main__":
    if Path(sys.prefix) != PYTHON.parent.parent:
        assert PYTHON.exists(), f"{PYTHON} is missing; make validators"
        run(PYTHON.parent / "pip", "install", "--quiet", "pillow==13.0.0")
        sys.exit(subprocess.run([PYTHON, __file__], check=False).returncode)
    main()
