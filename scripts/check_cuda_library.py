#!/usr/bin/env python3
"""Holds build/libelastic_cuda.so to what the program expects when it opens it, without a GPU: its functions and their
version, the libraries it needs, that these define every symbol it leaves open, and code for each GPU asked for.
Exit 1 on a fault."""
import pathlib
import re
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "build/libelastic_cuda.so"
INTERFACE = ROOT / "engine/device/cuda_interface.h"
SOURCES = ROOT / "engine/cuda"
# What the wheel's LibTorch, the Debian packages and the compiler bring; anything else would be missing at the user's.
MAY_NEED = re.compile(r"lib(torch_cpu|torch_cuda|c10|c10_cuda|cudart|gomp|fmt|crypto|utf8proc|stdc\+\+|m|gcc_s|c)\.so[.\d]*")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library, *which):
    """Names without their version (`name@GLIBC_2.34`), and their kinds."""
    lines = output("nm", "--dynamic", "--portability", *which, str(library)).splitlines()
    return {name.split("@")[0]: kind for name, kind in (line.split()[:2] for line in lines)}


def interface_faults():
    header = INTERFACE.read_text()
    defined = symbols(LIBRARY, "--defined-only")
    functions = re.findall(r"^\w+ (elastic_cuda_\w+)\(", header, re.MULTILINE)
    yield from (f"{name}() of {INTERFACE.name} is not exported" for name in functions if defined.get(name) != "T")
    version = re.search(r"kCudaInterfaceVersion = (\d+)", header)[1]
    code = output("objdump", "--disassemble=elastic_cuda_version", str(LIBRARY))
    returned = re.search(r"mov\s+\$0x([0-9a-f]+),%eax", code)
    if not functions or not returned or int(returned[1], 16) != int(version):
        yield f"elastic_cuda_version() does not return {version}, the version of {INTERFACE.name}"


def linking_faults():
    dynamic = output("readelf", "--dynamic", str(LIBRARY))
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    folders = re.search(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic)[1].split(":")
    yield from (f"needs {name}, which no package brings" for name in needed if not MAY_NEED.fullmatch(name))
    found = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", str(LIBRARY))))
    still_open = {name for name, kind in symbols(LIBRARY, "--undefined-only").items() if kind == "U"}
    for name in needed:
        path = next((p for p in (pathlib.Path(f) / name for f in folders) if p.exists()), found.get(name))
        if path is None:
            yield f"{name} is nowhere"
        else:
            still_open -= symbols(path, "--defined-only").keys()
    yield from (f"no library it needs defines {name}" for name in sorted(still_open))


def built_architectures():
    """sm_... of the device code inside: the header of each fat binary, then its entries (kind 2: code, 1: PTX)."""
    data, at, found = LIBRARY.read_bytes(), -1, set()
    while (at := data.find(struct.pack("<I", 0xBA55ED50), at + 1)) >= 0:
        _, header, size = struct.unpack_from("<HHQ", data, at + 4)
        entry, end = at + header, at + header + size
        while entry < end:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, entry)
            architecture, = struct.unpack_from("<I", data, entry + 28)
            specific = struct.unpack_from("<Q", data, entry + 40)[0] & 0x100000  # for this GPU alone: sm_90a
            if kind == 2:
                found.add(f"sm_{architecture}{'a' if specific else ''}")
            entry += header + size
    return found


def architecture_faults():
    if not list(SOURCES.rglob("*.cu")):
        return
    asked = " ".join(re.findall(r"CUDA_ARCHITECTURES\s+\"?([\w; -]+)", (SOURCES / "CMakeLists.txt").read_text()))
    if not asked:
        yield f"{SOURCES.relative_to(ROOT)}/CMakeLists.txt names no CUDA_ARCHITECTURES for its kernels"
    built = built_architectures()
    yield from (f"no code for sm_{name}, but for {' '.join(sorted(built)) or 'no GPU'}"
                for name in re.findall(r"\d+a?", asked) if f"sm_{name}" not in built)


def main():
    if not LIBRARY.exists():
        print(f"cuda: no {LIBRARY.relative_to(ROOT)}; scripts/setup.sh --nvcc brings its compiler, scripts/build.sh makes it")
        return 1
    faults = [*interface_faults(), *linking_faults(), *architecture_faults()]
    for fault in faults:
        print(f"{LIBRARY.relative_to(ROOT)}: {fault}")
    print(f"cuda: interface, libraries and symbols looked at, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
