"""Opens pages in headless Chromium and looks at them: on screens, by a screen reader's tree, on
paper.

usage: browser.py FOLDER

FOLDER has pages and `plan.json`:

    {"pages": [{"file": "a.html", "rows": [["destination", "amount"], …], "one_sheet": true,
    "light": false}, …],
     "same": {"file": "plain.html", "as": ["hostile-00.html", …]}}

`rows` are looked for on paper, whole; `one_sheet` asks for one page on A4 and on Letter, with room
to spare: in a
face a tenth wider than the machine's own, and with two lines more, it is one still; `light` leaves
out the rules of
accessibility, which take long on a large page; `only` names the looks to take, of markup, screens,
reader, paper. `same`
are pages whose elements and attributes must be those of the first: only texts may differ.

JSON out: problems by page. Exit code 1 if there is one.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import html5lib
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS = [320, 390, 768, 1280]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What sticks out of the window, but for what is there for screen readers only.
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page is ' + document.documentElement.scrollWidth);
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('.sr, thead, svg svg')) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 1 || box.left < -1)) found.push(element.tagName + '.' + element.className);
  }
  return found.slice(0, 5);
}"""

# Elements with their attributes, without any text.
SKELETON = """() => Array.from(document.querySelectorAll('*'), element =>
  element.tagName + element.getAttributeNames().sort().map(name => ' ' + name + '=' + element.getAttribute(name)).join(''))"""

# What a screen reader has to find, counted in the markup.
COUNTED = """() => {
  document.querySelectorAll('details').forEach(details => details.open = true);
  const count = selector => document.querySelectorAll(selector).length;
  return {
    table: count('table'), row: count('tr'), columnheader: count('thead th'), rowheader: count('tbody th'),
    image: count('svg[role=img]'), heading: count('h1, h2, h3'), main: count('main'), banner: count('body header'),
    contentinfo: count('body footer'),
  };
}"""

FIGURES = """() => Array.from(document.querySelectorAll('figure'), figure =>
  [figure.querySelector('figcaption'), ...figure.querySelectorAll(':scope > svg text')].map(element => element.textContent))"""


# A face wider than the one at hand, as Verdana is beside Arial; and two lines of text at the end of
# the page.
FULLER = r"""* { letter-spacing: .05em !important }
body::after { content: '1\A 2'; display: block; white-space: pre }"""


class Look:
    """A page that is looked at, and what was wrong with it."""

    def __init__(self, browser, folder, plan):
        self.browser, self.path, self.plan = browser, folder / plan["file"], plan
        self.problems = []

    def wrong(self, what):
        if what not in self.problems:
            self.problems.append(what)

    def open(self, width=1280, scheme="light"):
        """The page in a window of its own; whatever it asks for, says or does is wrong."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page = context.new_page()
        page.on("console", lambda message: self.wrong(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.wrong(f"error: {error}"))
        page.on(
            "dialog", lambda dialog: (self.wrong(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        address = self.path.as_uri()
        own = lambda url: url == address or url.startswith("data:")
        page.on(
            "request", lambda request: own(request.url) or self.wrong(f"asks for {request.url}")
        )
        page.goto(address, wait_until="load")
        return page

    def screens(self):
        """No sideways scrolling at any width; the accessibility rules hold in light and dark."""
        grounds = {}
        for scheme, ruled in [("light", 390), ("dark", 1280)]:
            page = self.open(scheme=scheme)
            page.evaluate(
                "document.querySelectorAll('details').forEach(details => details.open = true)"
            )
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                for what in page.evaluate(STICKS_OUT):
                    self.wrong(f"at {width} px sticks out: {what}")
                if width == ruled and not self.plan.get("light"):
                    for violation in Axe().run(page).response["violations"]:
                        where = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
                        self.wrong(
                            f"{scheme} at {width} px: {violation['id']}: {violation['help']}:"
                            f" {where}"
                        )
            grounds[scheme] = page.evaluate(
                "getComputedStyle(document.querySelector('.sheet') ||"
                " document.body).backgroundColor"
            )
            page.context.close()
        if grounds["light"] == grounds["dark"]:
            self.wrong("dark is as light")

    def reader(self):
        """What the markup means is what a screen reader is told, on a phone too."""
        for width in [390, 1280]:
            page = self.open(width)
            counted = page.evaluate(COUNTED)
            session = page.context.new_cdp_session(page)
            nodes = [
                node
                for node in session.send("Accessibility.getFullAXTree")["nodes"]
                if not node["ignored"]
            ]
            roles = {"img": "image"}
            found = dict.fromkeys(counted, 0)
            for node in nodes:
                role = node["role"]["value"]
                role = roles.get(role, role)
                if role in found:
                    found[role] += 1
                if role in ("image", "table", "heading") and not node.get("name", {}).get("value"):
                    self.wrong(f"at {width} px a screen reader finds a {role} without a name")
                told = node.get("description", {}).get("value")
                if role == "image" and told in (None, "", node["name"].get("value")):
                    self.wrong(f"an image says nothing but its name: {told}")
            for role, count in counted.items():
                if found[role] != count:
                    self.wrong(
                        f"at {width} px a screen reader finds {found[role]} of {count} {role}"
                    )
            if (
                counted["main"] != 1
                or page.locator("h1").count() != 1
                or not page.evaluate("document.documentElement.lang")
            ):
                self.wrong("a page has one main, one h1 and a language")
            for figure in page.locator("figure").all():
                if figure.locator("table tbody tr").count() == 0:
                    self.wrong("a chart without its data")
            page.context.close()

    def printed(self, size, style=""):
        """The figures of a page; and of its print, with a style on top: the text sheet by sheet,
        the first in grey."""
        page = self.open(scheme="dark")
        if style:
            page.add_style_tag(content=style)
        figures = page.evaluate(FIGURES)
        with tempfile.TemporaryDirectory() as folder:
            pdf = os.path.join(folder, "page.pdf")
            page.pdf(path=pdf, format=size, print_background=True)
            page.context.close()
            text = subprocess.run(
                ["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True
            ).stdout.decode()
            picture = subprocess.run(
                ["pdftoppm", "-r", "12", "-l", "1", pdf], capture_output=True, check=True
            ).stdout
        return figures, text.split("\f")[:-1], picture

    def one_sheet(self, size, sheets):
        """One sheet, and not by luck: what has room to spare in the faces of this machine has room
        in those of another."""
        if len(sheets) != 1:
            self.wrong(f"{len(sheets)} pages on {size}; expected one")
            return
        _, sheets, _ = self.printed(size, FULLER)
        if len(sheets) != 1:
            self.wrong(
                f"{len(sheets)} pages on {size} in a wider face with two lines more; expected one,"
                " with room to spare"
            )

    def paper(self):
        """On paper every row is whole, heads stand on every page, no chart is cut, and it is
        light."""
        for size in ["A4", "Letter"]:
            figures, sheets, picture = self.printed(size)
            if self.plan.get("one_sheet"):
                self.one_sheet(size, sheets)
            lines = [[" ".join(line.split()) for line in sheet.splitlines()] for sheet in sheets]
            pages = [tight("".join(sheet)) for sheet in lines]
            rows, seen = {what: tight(amount) for what, amount in self.plan.get("rows", [])}, set()
            for number, sheet in enumerate(lines, 1):
                on_sheet = [
                    what
                    for line in sheet
                    for what in candidates(line, rows)
                    if tight(line).endswith(rows[what])
                ]
                seen.update(on_sheet)
                if on_sheet and not any(
                    line.startswith("Destination Calls Minutes") for line in sheet
                ):
                    self.wrong(f"page {number} of {size} has rows and no head")
            for what in sorted(rows.keys() - seen)[:3]:
                self.wrong(f"on {size} the row `{what} … {rows[what]}` is not whole")
            for figure in figures:
                texts = [tight(text) for text in figure]
                if not any(all(text in sheet for text in texts) for sheet in pages):
                    missing = [text for text in texts if text not in "".join(pages)]
                    self.wrong(f"on {size} the chart `{figure[0]}` is cut {missing}")
            pixels = picture[picture.index(b"\n255\n") + 5 :]
            if sum(pixels) < 200 * len(pixels):
                self.wrong(f"{size} is dark")

    def markup(self):
        """A strict parser has no complaint."""
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        parser.parse(self.path.read_bytes(), transport_encoding="utf-8")
        for (line, column), code, details in parser.errors[:3]:
            self.wrong(f"markup, line {line} column {column}: {code} {details}")


def tight(text):
    return re.sub(r"\s", "", text)


def candidates(line, rows):
    """The rows that a line may be: their first cell is what it starts with."""
    words = line.split()
    starts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    return [start for start in starts if start in rows]


def same(browser, folder, plan):
    """Pages with the elements and attributes of another, and nothing that ran."""
    found = {}
    first = Look(browser, folder, {"file": plan["file"]})
    page = first.open()
    expected, names = page.evaluate(SKELETON), set(
        page.evaluate("Object.getOwnPropertyNames(window)")
    )
    page.context.close()
    for name in plan["as"]:
        look = Look(browser, folder, {"file": name})
        page = look.open(width=320)
        skeleton = page.evaluate(SKELETON)
        for before, after in zip(expected + [None], skeleton + [None]):
            if before != after:
                look.wrong(f"an element is not that of the template: {after}, expected {before}")
                break
        for added in set(page.evaluate("Object.getOwnPropertyNames(window)")) - names:
            look.wrong(f"the window has {added}")
        for what in page.evaluate(STICKS_OUT):
            look.wrong(f"sticks out: {what}")
        look.markup()
        page.context.close()
        found[name] = look.problems
    return found


def main(folder):
    folder = pathlib.Path(folder).resolve()
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    found = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for page in plan.get("pages", []):
            look = Look(browser, folder, page)
            for look_at in page.get("only", ["markup", "screens", "reader", "paper"]):
                getattr(look, look_at)()
            found[page["file"]] = look.problems
        if "same" in plan:
            found |= same(browser, folder, plan["same"])
        browser.close()
    print(json.dumps(found, indent=1, ensure_ascii=False))
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
