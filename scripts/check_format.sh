#!/usr/bin/env bash
# clang-format 14 over every source, read only; lists what differs. --fix rewrites instead. Lists files over 400 lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
formatter="$(command -v clang-format-14 || command -v clang-format)"
mapfile -t sources < <(find base datasets engine harness reports runs tasks tests \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) | sort)
if [[ "${1:-}" == --fix ]]; then
  "$formatter" -i "${sources[@]}"
  exit
fi
status=0
printf '%s\0' "${sources[@]}" | xargs -0 -n 16 -P 2 "$formatter" --dry-run --Werror --ferror-limit=1 || status=1
long="$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 400 {print "  " $1 " lines: " $2}')"
[[ -z "$long" ]] || printf 'over 400 lines:\n%s\n' "$long"
[[ $status -eq 0 ]] || echo "format: run scripts/check_format.sh --fix"
echo "format: ${#sources[@]} files looked at"
exit $status
