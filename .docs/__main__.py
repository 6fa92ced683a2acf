"""Builds the site: `python .docs [--out results/site] [--rooms geometry ...] [--quick]`.

The pages' sources are the documents of the repository, its notebooks, the public names of its rooms
and its figures; what stands in this folder is the rest. Nothing is fetched.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from gallery import write_gallery
from links import broken_links
from live import write_live
from sources import ROOT, copy_documents, copy_lessons, write_index, write_reference
from sphinx.application import Sphinx

HERE = Path(__file__).parent


def main() -> int:
    """Assembles the sources and builds them; 1 where Sphinx warns or a link is broken."""
    parser = argparse.ArgumentParser(prog="python .docs", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "site")
    parser.add_argument("--rooms", nargs="*", help="rooms of the reference; all by default")
    parser.add_argument(
        "--quick", action="store_true", help="no lessons, figures or live page, which compute"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    source, html = options.out / "source", options.out / "html"
    source.mkdir(parents=True, exist_ok=True)
    copy_documents(source)
    parts = ["reference/index"]
    write_reference(source / "reference", options.rooms)
    if not options.quick:
        copy_lessons(source / "lessons")
        write_gallery(source / "gallery", options.out.parent, options.out / "figures")
        write_live(source, source / "_extra")
        parts = ["lessons/index", "gallery/index", "live", *parts]
    write_index(source, parts)
    failed = build(source, html, options.out / "trees", options.out / "executed")
    broken = broken_links(html)
    for page, link in broken:
        print(f"{page}: nothing stands at {link}", file=sys.stderr)
    files = [path for path in html.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    size = sum(path.stat().st_size for path in files) / 1e6
    print(
        f"{html / 'index.html'}: {pages} pages, {size:.1f} MB, {len(broken)} broken links, "
        f"{(time.perf_counter() - start) / 60:.1f} minutes"
    )
    return 1 if failed or broken else 0


def build(source: Path, html: Path, trees: Path, executed: Path) -> int:
    """Sphinx's status; a warning is an error, and all of them are shown."""
    extra = source / "_extra"
    settings = {
        "nb_execution_cache_path": str(executed.resolve()),
        "html_extra_path": [str(extra.resolve())] if extra.exists() else [],
    }
    app = Sphinx(
        str(source),
        str(HERE),
        str(html),
        str(trees),
        "html",
        confoverrides=settings,
        warningiserror=True,
        status=None,
    )
    app.build()
    return app.statuscode


if __name__ == "__main__":
    raise SystemExit(main())
