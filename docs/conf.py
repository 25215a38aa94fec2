"""How Sphinx builds these pages: `sphinx-build -W -b html docs docs/_build/html`."""

from importlib.metadata import version as installed_version

project = "ketafind"
copyright = "2026, The ketafind developers"  # noqa: A001
version = release = installed_version("ketafind")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc", "myst_parser"]
exclude_patterns = ["_build"]
# `name` in a docstring links to what has that name.
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
# The members stand below each class, with their own docstrings.
numpydoc_show_class_members = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "ketafind"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {"navigation_with_keys": True}
