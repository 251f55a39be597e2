"""Settings of the documentation site: `make docs`.

The source folder is the repository itself, so that every relative link of a page works
there, on the site and where the repository is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_retrieval_robust import __version__

# The extensions beside this file.
sys.path.insert(0, str(Path(__file__).parent))

project = "pytest-retrieval-robust"
release = __version__
html_title = f"{project} {release}"
# Builds of the same sources have the same bytes, whatever the year is.
project_copyright = f"the authors of {project}, Apache-2.0"

extensions = [
    "myst_parser",
    "sphinx_external_toc",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "api_pages",
    "docstrings",
    "mathml",
    "whole_pages",
]
external_toc_path = "docs/site/toc.yml"
include_patterns = ["*.md", "docs/**", "changes/README.md"]
# What is excluded is not walked through. Everything but the pages is.
exclude_patterns = sorted(
    path.name
    for path in Path(__file__).parents[2].iterdir()
    if path.is_dir() and path.name not in ("docs", "changes")
)

# Links to headings are checked as GitHub names them.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "html_image"]

# Docstrings say `name` of code, as the pages do.
default_role = "code"
autodoc_member_order = "bysource"
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
autodoc_typehints_format = "short"
# Annotations name types of other projects, and of modules that are no interface. What
# can be linked is, by `api_pages`; `-n` stays strict for everything else.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
# A search shows titles alone: browsers let no page from a disk read another for a summary.
html_show_search_summary = False
# Pages are Markdown that can be read where they are.
html_copy_source = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
