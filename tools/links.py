"""Links of the built book: every page, anchor and picture that an HTML page names is there.

    python3 tools/links.py target/docs

The tests follow the links of the Markdown; this one reads what mdBook made of it. Addresses
elsewhere are not asked.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if name := found.get("id") or (found.get("name") if tag == "a" else None):
            self.anchors.add(name)
        for key in ("href", "src"):
            if key in found and tag in ("a", "img"):
                self.links.append(found[key])


def main(folder):
    pages = {
        path.resolve(): Page(path)
        for path in Path(folder).rglob("*.html")
        if path.name not in ("print.html", "404.html", "toc.html")
    }
    assert len(pages) > 25, f"{folder}: {len(pages)} pages; expected the book: make docs"
    broken, count = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link or "")
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists():
                broken.append(f"{path}: {link}: no such file")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{path}: {link}: no such anchor")
    print("\n".join(broken) or f"{len(pages)} pages, {count} links, all of them lead somewhere")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
