#!/usr/bin/env bash
# Fuzz the kernel's trees and questions with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer, from the seeds of kernel_corpus.txt: a name and hexadecimal digits a
# line. Needs clang; CC names it.
#
#   bash tools/fuzz_kernel.sh [SECONDS] [FOLDER]    FOLDER keeps what was found, for a later run
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CC:-clang}" -O2 -g -std=c11 -ffp-contract=off -fno-math-errno -pthread \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
  -I ../src/kernel fuzz_kernel.c -lm -o "$work/fuzz"
mkdir -p "$work/seeds" "${2:-$work/found}"
while read -r name digits; do
  printf '%b' "$(sed 's/../\\x&/g' <<<"$digits")" >"$work/seeds/$name"
done <kernel_corpus.txt
"$work/fuzz" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -max_total_time="${1:-60}" \
  -artifact_prefix="${2:-$work/found}/" -print_final_stats=1 "${2:-$work/found}" "$work/seeds"
