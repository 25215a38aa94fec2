"""The public surface cannot drift: what is listed is importable, documented, annotated, light."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ketafind
import ketafind.geocoding

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/ketafind"
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ketafind.__path__, "ketafind.")
    if module.name.rpartition(".")[2] != "__main__"
)
NAMES = sorted(ketafind.__all__)
HEAVY = {
    "geopandas", "geopy", "httpx", "matplotlib", "narwhals", "pandas", "polars", "pyarrow",
    "pyproj", "rapidfuzz", "rtree", "scipy", "shapely", "tqdm",
}  # fmt: skip


def run(program: str) -> str:
    """What a program prints in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    ).stdout


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class defines itself or inherits from ketafind."""
    for base in cls.__mro__:
        if base.__module__.split(".")[0] == "ketafind":
            yield from ((name, m) for name, m in vars(base).items() if not name.startswith("_"))


def unannotated(function: Any) -> list[str]:
    """Parameters without a type, and "return" if that has none."""
    signature = inspect.signature(function)
    bare = [
        name
        for name, parameter in signature.parameters.items()
        if name not in {"self", "cls"} and parameter.annotation is inspect.Parameter.empty
    ]
    return bare + (["return"] if signature.return_annotation is inspect.Signature.empty else [])


def undescribed(function: Any) -> list[str]:
    """Parameters that the docstring does not name at the start of a line."""
    text = inspect.getdoc(function) or ""
    named = set(
        re.findall(r"\*{0,2}(\w+)", " ".join(re.findall(r"(?m)^([*\w, ]+?)(?: :|$)", text)))
    )
    return [
        name
        for name in inspect.signature(function).parameters
        if name not in named | {"self", "cls"}
    ]


def test_all_is_sorted_and_without_doubles() -> None:
    assert list(ketafind.__all__) == sorted(set(ketafind.__all__))


@pytest.mark.parametrize("package", [ketafind, ketafind.geocoding], ids=lambda one: one.__name__)
def test_what_type_checkers_are_told_is_what_there_is(package: ModuleType) -> None:
    stub = Path(str(package.__file__)).with_suffix(".pyi").read_text("utf-8")
    told = re.findall(r"^from (\S+) import (\w+) as \2$", stub, re.M)
    assert {name for _, name in told} == set(package.__all__) - {"__version__"}
    for home, name in told:
        place = package if home == package.__name__ else importlib.import_module(home)
        assert getattr(place, name) is getattr(package, name)


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_importable_and_listed(name: str) -> None:
    assert getattr(ketafind, name) is not None
    assert name in dir(ketafind)


def test_what_dir_lists_beside_all_is_private_or_a_module() -> None:
    extra = {name for name in dir(ketafind) if not name.startswith("_")} - set(NAMES)
    assert all(isinstance(getattr(ketafind, name), ModuleType) for name in extra), extra


def test_star_import_brings_exactly_all() -> None:
    space: dict[str, Any] = {}
    exec("from ketafind import *", space)
    assert set(space) - {"__builtins__"} == set(NAMES)


def test_an_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'ketafind'.*'neerest'"):
        ketafind.neerest  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_documented_and_annotated(name: str) -> None:
    value = getattr(ketafind, name)
    if isinstance(value, str | tuple) or name in ("Origin", "UnknownPolicy"):  # aliases have none
        return
    assert inspect.getdoc(value), name
    if inspect.isfunction(value):
        assert unannotated(value) == []
        assert undescribed(value) == []


@pytest.mark.parametrize("name", [n for n in NAMES if inspect.isclass(getattr(ketafind, n))])
def test_each_member_of_a_public_class_is_documented_and_annotated(name: str) -> None:
    for member, found in public_members(getattr(ketafind, name)):
        plain = getattr(found, "fget", None) or getattr(found, "__func__", found)
        if inspect.isfunction(plain):
            assert inspect.getdoc(plain), f"{name}.{member}"
            assert unannotated(plain) == [], f"{name}.{member}"
            assert undescribed(plain) == [], f"{name}.{member}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "__version__"])
def test_each_public_name_stands_in_the_reference(name: str) -> None:
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs/reference").glob("*.md"))
    assert re.search(
        rf"(?:auto\w+|py:module):: (?:ketafind\.)?(?:\w+\.)*{re.escape(name)}\s", pages
    ), name


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_a_docstring_and_lists_only_what_it_holds(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ or name.endswith("._kernel")
    missing = [listed for listed in getattr(module, "__all__", ()) if not hasattr(module, listed)]
    assert missing == []


def test_importing_the_package_brings_no_heavy_package() -> None:
    brought = set(run("import sys, ketafind; print(*sys.modules)").split())
    assert brought & HEAVY == set()


def test_importing_every_module_brings_no_heavy_package() -> None:
    """Heavy packages are imported by the function that needs them, not by the module."""
    # Made of classes of geopy, httpx, pandas and matplotlib, and themselves imported when needed.
    own = {f"ketafind.geocoding.{name}" for name in ("online", "http", "register_build")}
    own |= {"ketafind.show.plots"}
    modules = ", ".join(name for name in MODULES if name not in own)
    brought = set(run(f"import sys, {modules}; print(*sys.modules)").split())
    assert brought & HEAVY == set()


def test_a_bundled_question_imports_one_required_package() -> None:
    asked = "near = kf.load_directory().nearest('Kingston, ON', routes='iv')"
    shown = "str(near), near.to_dict('fr'), str(near.explain())"
    brought = run(f"import sys, ketafind as kf; {asked}; {shown}; print(*sys.modules)").split()
    required = {"pandas", "shapely", "rtree", "geopy", "pyproj", "rapidfuzz", "narwhals", "tqdm"}
    assert "numpy" in brought
    assert required.isdisjoint(brought)
