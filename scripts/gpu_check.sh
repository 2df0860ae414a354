#!/usr/bin/env bash
# The GPU checks, for a machine that has a GPU and a Python with torch 2.11.0+cu130, but no build of this program.
#
#   scripts/gpu_check.sh bundle     where it was built: program, tests, CUDA library and what they load -> build/gpu
#   scripts/gpu_check.sh tests      on the GPU machine, with build/gpu carried along: the suites of ctest label gpu
#   scripts/gpu_check.sh            the suites, correctness against the CPU, then prefill times beside transformers
#                                   (GPU_LENGTHS="8192 32768 131072")
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bundle=build/gpu
libraries=

make_bundle() {
  rm -rf "$bundle"
  mkdir -p "$bundle/lib"
  local file
  for file in elastic-bench engine_tests libelastic_cuda.so; do strip -o "$bundle/$file" "build/$file"; done
  # Everything but the C and C++ runtimes and what comes with torch.
  ldd build/elastic-bench build/engine_tests build/libelastic_cuda.so | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux[^/]*)\.so|/torch/lib/|/nvidia/' |
    grep -vE '/lib(cublas|cudart|cudnn|cufft|cufile|cupti|curand|cusolver|cusparse|nccl|nvJitLink|nvrtc)[^/]*\.so' |
    xargs cp -L -t "$bundle/lib"
  tar -C "$bundle" -czf "$bundle/lib.tar.gz" --remove-files lib  # ICU alone, behind libarchive, has 30 MB
  du -sh "$bundle"
}

find_libraries() {
  local torch
  [[ -d "$bundle/lib" ]] || tar -C "$bundle" -xzf "$bundle/lib.tar.gz"
  torch="$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')"
  libraries="$PWD/$bundle/lib:$torch/lib:$(printf '%s:' "$torch"/../nvidia/*/lib)${LD_LIBRARY_PATH:-}"
}

run_suites() {
  ELASTIC_SOURCE_DIR="$PWD" LD_LIBRARY_PATH="$libraries" "$bundle/engine_tests" --gtest_filter='Gpu_*' --gtest_brief=1
}

program() { LD_LIBRARY_PATH="$libraries" "$bundle/elastic-bench" "$@"; }

# Logits and routing of one mode on the CPU (fp32) and the GPU (fp32, bf16) must agree.
check_mode() {
  local mode="$1" out="$2" device dtype
  while read -r device dtype; do
    program generate --model models/demo --mode "$mode" --ids-file "$out/ids" --max-new-tokens 16 \
      --ignore-eos --device "$device" --dtype "$dtype" --json --logits "$out/$device-$dtype.safetensors" \
      --trace "$out/$device-$dtype.trace" >"$out/$device-$dtype.json"
  done <<<$'cpu fp32\ncuda fp32\ncuda bf16'
  python3 - "$mode" "$out" <<'PYTHON'
import json, sys
from safetensors.torch import load_file
mode, out = sys.argv[1:]
runs = ("cpu-fp32", "cuda-fp32", "cuda-bf16")
logits = {r: load_file(f"{out}/{r}.safetensors")["logits"] for r in runs}
answer = {r: json.load(open(f"{out}/{r}.json"))["ids"] for r in runs}
trace = {r: json.load(open(f"{out}/{r}.trace")) for r in runs}
error = {r: (logits[r] - logits["cpu-fp32"]).abs().max().item() for r in runs[1:]}
same_top = (logits["cuda-bf16"].argmax(-1) == logits["cpu-fp32"].argmax(-1)).float().mean().item()
routing = [l["is_sparse"] for l in trace["cpu-fp32"]["layers"]] == [l["is_sparse"] for l in trace["cuda-fp32"]["layers"]]
good = error["cuda-fp32"] <= 2e-3 and same_top >= .96 and routing and answer["cpu-fp32"] == answer["cuda-fp32"]
print(f"{'ok  ' if good else 'FAIL'} {mode}: max |cuda fp32 - cpu fp32| {error['cuda-fp32']:.2e}, bf16 {error['cuda-bf16']:.2e}, "
      f"same top token in bf16 {same_top:.4f}, decisions equal {routing}, continuation equal {answer['cpu-fp32'] == answer['cuda-fp32']}")
sys.exit(not good)
PYTHON
}

run_checks() {
  local out lengths="${GPU_LENGTHS:-8192 32768 131072}" status=0 mode
  out="$(mktemp -d)"
  program doctor | grep -v '^data'
  run_suites || status=1
  python3 -c 'import random; random.seed(7); print(",".join(str(random.randrange(3, 6000)) for _ in range(3000)))' >"$out/ids"
  for mode in fa ssa xa fa-ssa fa-xa xa-ssa quest:budget=512; do check_mode "$mode" "$out" || status=1; done
  nvidia-smi --query-gpu=name,clocks.sm,power.draw --format=csv,noheader
  program bench prefill --shape llama-3.1-8b --random-weights --device cuda --dtype bf16 \
    --lengths "${lengths// /,}" -r 3 -o json || status=1
  # shellcheck disable=SC2086  # a list of lengths
  python3 tests/bench/hf_prefill_peer.py $lengths --repetitions 3 || status=1
  return "$status"
}

case "${1:-run}" in
  bundle) make_bundle ;;
  tests) find_libraries && run_suites ;;
  run) find_libraries && run_checks ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
