#!/usr/bin/env bash
# Installs what is missing, builds everything, runs all tests. Arguments go to ctest: ./test.sh -L golden
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/environment.sh

setup_this_machine
scripts/build.sh
echo "== tests" >&2
ctest --test-dir build --parallel 2 --output-on-failure --progress "$@"
