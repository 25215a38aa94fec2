"""What pyproject.toml cannot say: the data folder inside the package, and the optional kernel."""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup
from setuptools.command.build_py import build_py

KERNEL = Path("src/kernel")
# One wheel serves every Python from 3.11 on; free-threaded ones have no stable ABI.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")
# A wheel for every machine, without the kernel: for browsers (Pyodide).
PURE = os.environ.get("KETAFIND_NO_KERNEL") == "1"
# Distances are the same wherever they are computed: no fused operations.
FLAGS = (
    ["/O2", "/std:c11"]
    if sys.platform == "win32"
    else [
        "-O3",
        "-std=c11",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-pthread",
        "-g0",  # debug sections name the folder it was built in
    ]
)

kernel = Extension(
    "ketafind._kernel",
    [(KERNEL / "module.c").as_posix()],
    depends=[header.as_posix() for header in sorted(KERNEL.glob("*.h"))],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if ABI3 else [],
    py_limited_api=ABI3,
    extra_compile_args=FLAGS + os.environ.get("KETAFIND_KERNEL_FLAGS", "").split(),
    extra_link_args=([] if sys.platform == "win32" else ["-pthread"])
    + os.environ.get("KETAFIND_KERNEL_FLAGS", "").split(),
    libraries=[] if sys.platform == "win32" else ["m"],
    # Without a compiler ketafind installs all the same and answers by ScanIndex.
    optional=True,
)


class BuildWithData(build_py):
    """Copy data/ into the package; an editable install reads it where it lies.

    Were it a package of its own, an editable install would need an import hook, which a folder
    named ketafind beside the caller hides.
    """

    def _data(self):
        names = sorted(path.name for path in Path("data").iterdir() if path.is_file())
        into = Path(self.build_lib, "ketafind", "data")
        return [(Path("data", name), into / name) for name in names]

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self._data():
                self.mkpath(target.parent.as_posix())
                self.copy_file(source.as_posix(), target.as_posix())

    def get_outputs(self, include_bytecode=True):
        copied = [] if self.editable_mode else [str(target) for _, target in self._data()]
        return [*super().get_outputs(include_bytecode), *copied]


setup(
    packages=find_namespace_packages("src", include=["ketafind*"]),
    package_dir={"": "src"},
    cmdclass={"build_py": BuildWithData},
    ext_modules=[] if PURE else [kernel],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 and not PURE else {},
)
