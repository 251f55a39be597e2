"""Pages that are files of their own, such as a report, open at a link as any page does.

Sphinx would offer them for download under a name with a hash.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

COPIED = "docs/sample-*"
"""Files and folders that are under this name in the repository, and so on the site."""


def setup(app: Sphinx) -> ExtensionMetadata:
    """Link to them, and copy them."""
    app.add_transform(LinkToWholePages)
    app.connect("build-finished", copy_whole_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class LinkToWholePages(SphinxTransform):
    """Links in place of downloads, before Sphinx collects these."""

    # Before downloads are collected, with priority 880.
    default_priority = 800

    def apply(self, **_settings: object) -> None:
        for download in list(self.document.findall(download_reference)):
            target = download["reftarget"]
            if target.endswith(".html"):
                children = download.children
                link = nodes.reference("", "", *children, internal=True, refuri=target)
                download.replace_self(link)


def copy_whole_pages(app: Sphinx, error: Exception | None) -> None:
    """Put them where the links lead."""
    if error is None and app.builder.format == "html":
        for source in Path(app.srcdir).glob(COPIED):
            copy = Path(app.outdir) / source.relative_to(app.srcdir)
            if source.is_dir():
                shutil.copytree(source, copy, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, copy)
