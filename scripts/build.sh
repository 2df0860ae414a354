#!/usr/bin/env bash
# Configures preset `default` in build/ and builds it, or only the targets named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
echo "== build: configuring" >&2
cmake --preset default >build/configure.log || { cat build/configure.log; exit 1; }
echo "== build: compiling (a few minutes the first time)" >&2
ninja -C build "$@"
