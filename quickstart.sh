#!/usr/bin/env bash
# From a fresh clone to a report: installs what is missing, builds, runs RULER on the demo model with full,
# streaming and routed heads, prints the table and the path of the report. Where there is an NVIDIA driver, the model runs
# on the GPU. Safe to run again: what is done is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/environment.sh

output=build/quickstart
if has_gpu; then
  echo "== NVIDIA driver found: the model will run on the GPU" >&2
  output=build/quickstart-gpu  # its records are not those of a CPU
fi
setup_this_machine
scripts/build.sh elastic-bench

tasks=ruler/niah_single_2,ruler/niah_multikey_2,ruler/vt,ruler/cwe,ruler/fwe
echo "== run: the demo model on five RULER tasks, three lengths, three modes" >&2
build/elastic-bench run --model demo --tasks "$tasks" --lengths 1k,2k,4k --modes fa,ssa,fa-ssa --limit 3 \
  --data-dir "${ELASTIC_DATA_DIR:-build/data}" --output "$output" >/dev/null
echo "== report" >&2
build/elastic-bench report "$output" --output "$output/report"
echo "Report: $PWD/$output/report/report.html"
