#!/usr/bin/env bash
# clang-tidy over the sources that differ from BASE, with the commands of BUILD/compile_commands.json (a build without
# precompiled headers and batches). Any finding fails.
#
#   scripts/check_tidy.sh BUILD [BASE]    BASE: where this branch left origin/main, else ten commits back.
#                                         TIDY_SECONDS (300) bounds it; what was not looked at is said
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export build="${1:?usage: scripts/check_tidy.sh BUILD [BASE]}" tidy deadline
tidy="$(command -v clang-tidy-14 || command -v clang-tidy)"
deadline=$(($(date +%s) + ${TIDY_SECONDS:-300}))

default_base() {
  local base
  base="$(git merge-base HEAD origin/main 2>/dev/null || true)"
  [[ -n "$base" && "$base" != "$(git rev-parse HEAD)" ]] || base="$(git rev-list --max-count=11 HEAD | tail -n 1)"
  echo "$base"
}

# A header is looked at with the source of its name. What only moved, or includes other paths, is as it was.
changed_sources() {
  git diff -M -U0 --diff-filter=d "$1" -- '*.h' '*.cpp' | awk '/^\+\+\+ b\// { file = substr($0, 7); next }
    /^--- / { next } /^[-+]/ && !/^[-+](#include .*)?$/ { print file }' | sed 's/\.h$/.cpp/' | sort -u |
    while read -r source; do
      ! grep -qF "/$source\"" "$build/compile_commands.json" || echo "$source"
    done
}

look_at() {
  if (($(date +%s) > deadline)); then
    echo "tidy: no time left for $1"
  else
    "$tidy" -p "$build" --quiet --warnings-as-errors='*' "$1" 2>/dev/null
  fi
}
export -f look_at

base="${2:-$(default_base)}"
mapfile -t sources < <(changed_sources "$base")
echo "tidy: ${#sources[@]} sources differ from $(git describe --always "$base")"
[[ ${#sources[@]} -eq 0 ]] || printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'look_at "$0"'
