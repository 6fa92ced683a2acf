"""Links within a built site that lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links of a page, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        known = dict(attrs)
        self.places.update(v for k, v in known.items() if k in ("id", "name") and v)
        for name in ("href", "src"):
            if known.get(name):
                self.links.append(known[name])


def broken_links(html: Path) -> list[tuple[str, str]]:
    """Pairs (page, link) of a link to a file, or a place in it, that does not exist."""
    pages = {
        path.resolve(): _Page(path.read_text(errors="replace")) for path in html.rglob("*.html")
    }
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            place = unquote(parts.fragment)
            lost = known is not None and place and place not in known.places
            if not target.exists() or lost:
                broken.append((str(path.relative_to(html.resolve())), link))
    return sorted(set(broken))
