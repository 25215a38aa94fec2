"""What pyproject.toml cannot say: the data folder as a package, and the optional kernel."""

from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup

SOURCE = Path("src/ketafind/_kernel.c")
extensions = (
    [Extension("ketafind._kernel", [SOURCE.as_posix()], optional=True)] if SOURCE.exists() else []
)

setup(
    packages=[*find_namespace_packages("src", include=["ketafind*"]), "ketafind.data"],
    package_dir={"": "src", "ketafind.data": "data"},
    ext_modules=extensions,
)
