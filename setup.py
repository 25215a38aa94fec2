"""What pyproject.toml cannot say: the data folder as a package, and the optional kernel."""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup

KERNEL = Path("src/kernel")
# One wheel serves every Python from 3.11 on; free-threaded ones have no stable ABI.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")
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

setup(
    packages=[*find_namespace_packages("src", include=["ketafind*"]), "ketafind.data"],
    package_dir={"": "src", "ketafind.data": "data"},
    ext_modules=[kernel],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
)
