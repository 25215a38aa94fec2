#!/usr/bin/env bash
# The kernel's tests under AddressSanitizer and UndefinedBehaviorSanitizer, or with
# SANITIZE=thread those of threads under ThreadSanitizer: any finding aborts. Needs gcc and the test
# extra; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
sanitize=${SANITIZE:-address,undefined}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy of the package, so that no other build is touched.
cp -R setup.py pyproject.toml src "$work"
touch "$work/README.md"
(
  cd "$work"
  rm -f src/ketafind/_kernel.*so
  KETAFIND_KERNEL_FLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=$sanitize -fno-sanitize-recover=all" \
    "$python" setup.py -q build_ext --inplace
)
ls "$work"/src/ketafind/_kernel.*so >/dev/null

tests=(tests/test_geo_distance.py tests/test_index_parity.py tests/test_files_arrays.py
  tests/test_kernel_memory.py)
if [ "$sanitize" = thread ]; then
  tests=(tests/test_index_parity.py tests/test_kernel_memory.py -k "threads or builders or batch")
  export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1
  LD_PRELOAD=$(gcc -print-file-name=libtsan.so)
else
  # Python itself leaks on purpose at exit; its allocator would hide overruns.
  export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
  export UBSAN_OPTIONS=print_stacktrace=1
  LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
fi
export LD_PRELOAD
PYTHONMALLOC=malloc PYTHONPATH="$work/src" \
  "$python" -m pytest -q -p no:cacheprovider --basetemp "$work/tmp" "$@" "${tests[@]}"
