"""How Sphinx builds these pages: `sphinx-build -W -b html docs docs/_build/html`."""

import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
# Notebooks are kept without outputs, and run for these pages; Spark's needs Java.
(HERE / "notebooks").mkdir(exist_ok=True)
for notebook in (HERE.parent / "examples").glob("*.ipynb"):
    if notebook.stem != "distributed_join":
        shutil.copy(notebook, HERE / "notebooks")

project = "ketafind"
copyright = "2026, The ketafind developers"  # noqa: A001
version = release = installed_version("ketafind")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc", "myst_nb", "sphinx_design"]
exclude_patterns = ["_build", "jupyter_execute"]
# `name` in a docstring links to what has that name.
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "auto"
nb_execution_timeout = 300
nb_execution_raise_on_error = True

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


def setup(app):
    """Let a name that nothing near the text has link to what the package has by that name."""

    def in_the_package(_, env, node, content):
        if node.get("refdomain") != "py":
            return None
        name = f"ketafind.{node['reftarget'].rpartition('ketafind.')[2]}"
        python = env.domains["py"]
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)

    app.connect("missing-reference", in_the_package)
