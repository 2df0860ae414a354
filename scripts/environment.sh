# shellcheck shell=bash
# Sourced by quickstart.sh, test.sh and .ci/run: everything that is cached stays inside the clone.
export CCACHE_DIR="${CCACHE_DIR:-$PWD/build/ccache}"
export ELASTIC_CACHE_DIR="${ELASTIC_CACHE_DIR:-$PWD/build/cache}"
# Threads that wait asleep cost nothing on an idle machine and keep a shared one usable.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
# A sanitized memmem() looks at the whole rest of a text at every match.
export ASAN_OPTIONS="intercept_memmem=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

has_gpu() { [[ -e /dev/nvidiactl ]]; }
setup_this_machine() { if has_gpu; then scripts/setup.sh --cuda; else scripts/setup.sh; fi; }
