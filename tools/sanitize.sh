#!/usr/bin/env bash
# The kernel's tests under AddressSanitizer and UndefinedBehaviorSanitizer: any finding aborts.
# Needs gcc and the test extra; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy of the package, so that no other build is touched.
cp -R setup.py pyproject.toml src "$work"
touch "$work/README.md"
(
  cd "$work"
  rm -f src/ketafind/_kernel.*so
  KETAFIND_KERNEL_FLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
    "$python" setup.py -q build_ext --inplace
)
ls "$work"/src/ketafind/_kernel.*so >/dev/null

# Python itself leaks on purpose at exit; its allocator would hide overruns.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
PYTHONMALLOC=malloc PYTHONPATH="$work/src" \
  "$python" -m pytest -q -p no:cacheprovider --basetemp "$work/tmp" "$@" \
  tests/test_geo_distance.py tests/test_index_parity.py tests/test_files_arrays.py tests/test_kernel_memory.py
