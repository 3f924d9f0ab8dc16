import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "iMagine workspace"
author = copyright = "The iMagine workspace developers"
release = version = installed("imagine-workspace")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "iMagine workspace"
html_logo = "../hub_config/pages/static/icon.svg"
html_favicon = "../hub_config/pages/static/icon.svg"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6b78", "color-brand-content": "#0b6b78"},
    "dark_css_variables": {"color-brand-primary": "#5cc4d0", "color-brand-content": "#5cc4d0"},
}
