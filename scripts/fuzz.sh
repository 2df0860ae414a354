#!/usr/bin/env bash
# Builds fuzz targets (preset `fuzz`) and runs each over its seeds, then over what libFuzzer makes of them.
#
#   scripts/fuzz.sh TARGET|all [SECONDS]     scripts/fuzz.sh zip 60; SECONDS 0, the default: the seeds only
#
# FUZZ_JOBS: how many targets run at once (default: one a core).
# Seeds of tests/fuzz/<name>_fuzz.cpp are the files of tests/fuzz/seeds/<name>_fuzz/. Beside that folder,
# <name>_fuzz.options may hold arguments of libFuzzer, one a line: flags and further folders of seeds. An input
# that breaks its target is kept in build/fuzz/finds/, with the log of the run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
finds=build/fuzz/finds

# run_target NAME SECONDS: one line on what was run; the end of the log where the target broke.
run_target() {
  local name="$1" seconds="$2" seeds="tests/fuzz/seeds/$1" log="$finds/$1.log" limit="-runs=0"
  local arguments=("build/fuzz/corpus/$name")
  mkdir -p "${arguments[@]}"
  [[ ! -d "$seeds" ]] || arguments+=("$seeds")
  [[ ! -f "$seeds.options" ]] || mapfile -t -O "${#arguments[@]}" arguments < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$seeds.options")
  [[ "$seconds" == 0 ]] || limit="-max_total_time=$seconds"
  if "build/fuzz/$name" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "-artifact_prefix=$finds/$name-" \
    "$limit" "${arguments[@]}" >"$log" 2>&1; then
    printf 'ok      %-28s %9d inputs\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  else
    printf 'BROKEN  %s, log %s\n' "$name" "$log"
    grep -v '^#[0-9]' "$log" | tail -n 40
    return 1
  fi
}
export -f run_target
export finds

target="${1:?usage: scripts/fuzz.sh TARGET|all [SECONDS]}" seconds="${2:-0}"
cmake --preset fuzz >/dev/null
mkdir -p "$finds"
if [[ "$target" == all ]]; then
  ninja -C build/fuzz fuzzers
  find tests/fuzz -name '*_fuzz.cpp' -printf '%f\n' | sort | sed 's/\.cpp$//' |
    xargs -P "${FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'run_target {} "$0"' "$seconds"
else
  target="${target%_fuzz}_fuzz"
  ninja -C build/fuzz "$target"
  run_target "$target" "$seconds"
fi
