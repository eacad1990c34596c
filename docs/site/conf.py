"""Sphinx's configuration of the site. tools/website stages its sources in build/source and builds it: make docs."""

import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
from byhand import __version__  # noqa: E402
from tools.website.docstrings import as_rst  # noqa: E402
from tools.website.mathml import setup as mathml  # noqa: E402

project, author, release = "byhand", "The byhand developers", __version__
project_copyright = author
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["**/.ipynb_checkpoints"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
language = "en"

# Markdown as on GitHub; formulas between dollars.
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 5
myst_dmath_double_inline = True
html_math_renderer = "mathml"  # drawn by the browser; MathJax would come from the network

# Notebooks are run once, and again when they change.
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / ".jupyter_cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # no script from elsewhere: the explorer is shown as a page of its own
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# The reference.
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
add_module_names = False
python_display_short_literal_types = True
default_role = "code"
suppress_warnings = ["toc.empty_glob"]  # a place for pages that may come

html_theme = "furo"
html_title = "byhand"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_extra_path = [str(ROOT / "build" / "extra")]
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_show_search_summary = False  # it fetches each page, which a browser does not allow from file://
templates_path = [str(HERE / "templates")]
html_theme_options = {"navigation_with_keys": False}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

os.environ.setdefault("MPLBACKEND", "agg")
# Notebooks run in a folder of their own, and import what they do in a clone.
PATHS = [str(ROOT / "src"), str(ROOT), str(ROOT / "docs" / "learn"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PATHS))


def escape(*given: Any) -> None:
    """Of a docstring, the last argument, in place."""
    given[-1][:] = as_rst(given[-1])


SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
LINES = {"<dl>": '<span class="sig-lines">', "</dl>": "</span>", "<dd>": '<span class="sig-line">', "</dd>": "</span>"}


def tidy(*given: Any) -> None:
    """What a screen reader asks for: levels of furo's headings in the sidebar; and signatures that are no lists of definitions."""
    context = given[3]
    lines = re.compile("|".join(LINES))
    context["body"] = SIGNATURE.sub(lambda found: lines.sub(lambda tag: LINES[tag[0]], found[0]), context.get("body", ""))
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Any) -> None:
    app.connect("html-page-context", tidy, priority=900)  # after furo
    app.connect("autodoc-process-docstring", escape, priority=100)  # before napoleon, at 500
    mathml(app)
