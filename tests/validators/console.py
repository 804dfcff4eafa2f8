"""Walks the pages of a console in headless Chromium, at four widths, light and dark.

usage: console.py < plan

The plan, JSON: {"base": "http://127.0.0.1:1", "pages": [["name", "/path"], …], "pictures":
"folder"}

A page is wrong if it says anything on the console, asks for anything that is not of the console,
has anything that
sticks out, or breaks a rule of axe-core that is serious or critical; if a control cannot be reached
by the keyboard;
if it is another page with scripts off; or if its content is not on the paper that it is printed on.
Pictures of each
page go to the folder.

JSON out: problems by page. Exit code 1 if there is one.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = [320, 390, 768, 1280]

STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page is ' + document.documentElement.scrollWidth);
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('.sr, .skip, thead, svg svg, .table, .bar ul, textarea')) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 1 || box.left < -1)) found.push(element.tagName + '.' + element.className);
  }
  return found.slice(0, 5);
}"""

REACHABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary"


def walk(browser, plan, name, path):
    problems = []

    def wrong(what):
        if what not in problems:
            problems.append(what)

    base = plan["base"]
    pictures = pathlib.Path(plan["pictures"])
    pictures.mkdir(parents=True, exist_ok=True)
    texts = {}
    for scheme, scripts in [("light", True), ("dark", True), ("light", False)]:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        page = context.new_page()
        # A page that is not there is told so, by the browser too.
        page.on(
            "console",
            lambda message: "404" in message.text
            and name == "nothing"
            or wrong(f"console: {message.text}"),
        )
        page.on("pageerror", lambda error: wrong(f"error: {error}"))
        page.on(
            "request",
            lambda request: request.url.startswith((base + "/", "data:"))
            or wrong(f"asks for {request.url}"),
        )
        answer = page.goto(base + path, wait_until="load")
        if answer.status != (404 if name == "nothing" else 200):
            wrong(f"status {answer.status}")
        texts[(scheme, scripts)] = page.locator("body").inner_text()
        if scripts:
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                for what in page.evaluate(STICKS_OUT):
                    wrong(f"at {width} px sticks out: {what}")
                if width in (390, 1280):
                    page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
                    for violation in Axe().run(page).response["violations"]:
                        if violation["impact"] in ("serious", "critical"):
                            where = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
                            wrong(
                                f"{scheme} at {width} px: {violation['id']}: {violation['help']}:"
                                f" {where}"
                            )
        if scheme == "light" and scripts:
            keyboard(page, wrong)
            prints(page, wrong)
        context.close()
    if texts[("light", True)] != texts[("light", False)]:
        wrong("with scripts off it is another page")
    return problems


PRINTED = """() => Array.from(document.querySelectorAll('h1, h2, td, dd, li, .big, .lead'))
  .filter(own => own.checkVisibility({ visibilityProperty: true }) && !own.closest('nav, form, details, footer, .sr'))
  .map(own => own.innerText)"""


def prints(page, wrong):
    """What stands on the page stands on paper, and what is for the screen alone does not."""
    page.emulate_media(media="print")
    words = [word for text in page.evaluate(PRINTED) for word in text.split()]
    bare = lambda text: re.sub(r"[\s\u00ad\u200b]+", "", text)
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"],
        input=page.pdf(format="A4"),
        capture_output=True,
        check=True,
    )
    paper = bare(done.stdout.decode())
    page.emulate_media(media="screen")
    missing = [word for word in words if bare(word) not in paper]
    if not words or len(missing) * 50 > len(words):
        wrong(f"{len(missing)} of {len(words)} words are not on paper: {missing[:10]}")
    for word in ("To the content", "Read only:"):
        if bare(word) in paper:
            wrong(f"on paper stands {word!r}")


def keyboard(page, wrong):
    """Every control is come to by Tab, and shows that it is."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("document.activeElement && document.activeElement.blur()")
    visible = page.locator(REACHABLE).evaluate_all(
        "all => all.filter(own => own.checkVisibility()).length"
    )
    reached = set()
    for _ in range(visible + 20):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
          const own = document.activeElement;
          if (!own || own === document.body) return null;
          const all = Array.from(document.querySelectorAll('*'));
          const style = getComputedStyle(own);
          return [all.indexOf(own), style.outlineStyle !== 'none' || own.matches('.skip'), own.outerHTML.slice(0, 120), own.matches(%r)];
        }""" % REACHABLE)
        if found is None:
            break
        if found[3]:
            reached.add(found[0])
        if not found[1]:
            wrong(f"the focus is not seen on {found[2]}")
    if len(reached) < visible:
        wrong(f"by the keyboard {len(reached)} of {visible} controls are reached")


def main():
    plan = json.load(sys.stdin)
    found = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for name, path in plan["pages"]:
            found[name] = walk(browser, plan, name, path)
        browser.close()
    print(json.dumps(found, indent=1, ensure_ascii=False))
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    main()
