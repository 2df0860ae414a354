#!/usr/bin/env python3
"""Writes base/unicode_tables.cpp from this interpreter's Unicode data (Python 3.11: Unicode 14.0).

Usage: scripts/unicode_tables.py > base/unicode_tables.cpp

Cased and case-ignorable are not in unicodedata; they show in how str.lower() treats a capital sigma.
"""
import sys
import unicodedata

SIGMA, FINAL = "\u03a3", "\u03c2"
CODE_POINTS = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]


def runs(points, key=lambda c: 0):
    """Ranges [first, last, stride] of ascending points that share a key; stride 1 or 2."""
    out = []
    for c in points:
        if out:
            first, last, stride, k = out[-1]
            step = c - last
            if k == key(c) and step in (1, 2) and (first == last or step == stride):
                out[-1] = (first, c, step, k)
                continue
        out.append((c, c, 1, key(c)))
    return out


def emit(name, rows, cells):
    print(f"constexpr {cells[0]} {name}[] = {{")
    line = "   "
    for row in rows:
        cell = " {" + ", ".join(cells[1](row)) + "},"
        if len(line + cell) > 100:
            print(line)
            line = "   "
        line += cell
    print(line + "};\n")


def ranges(name, predicate):
    points = [c for c in CODE_POINTS if predicate(chr(c))]
    emit(name, runs(points), ("CodePointRange", lambda r: [f"0x{r[0]:x}", f"0x{r[1]:x}", str(r[2])]))


def main():
    print(f"// Written by scripts/unicode_tables.py from Unicode {unicodedata.unidata_version}; do not edit.\n")
    print('#include "base/unicode_tables.h"\n\nnamespace elastic {\nnamespace {\n\n// clang-format off')
    lower = {c: ord(chr(c).lower()) for c in CODE_POINTS if len(chr(c).lower()) == 1 and chr(c).lower() != chr(c)}
    emit("kLower", runs(sorted(lower), lambda c: lower[c] - c),
         ("LowerRange", lambda r: [f"0x{r[0]:x}", f"0x{r[1]:x}", str(r[2]), str(r[3])]))
    ranges("kUpperCase", str.isupper)
    ranges("kLowerCase", str.islower)
    ranges("kTitleCase", lambda ch: unicodedata.category(ch) == "Lt")
    ranges("kCaseIgnorable", lambda ch: ("A" + ch + SIGMA).lower().endswith(FINAL)
           and not (ch + SIGMA).lower().endswith(FINAL))
    ranges("kSpace", str.isspace)
    ranges("kDecimalDigit", str.isdecimal)
    print("// clang-format on\n\n}  // namespace\n")
    print("const UnicodeTables& unicode_tables() {")
    print("  static constexpr UnicodeTables kTables{kLower, kUpperCase, kLowerCase, kTitleCase,")
    print("                                         kCaseIgnorable, kSpace, kDecimalDigit};")
    print("  return kTables;\n}\n\n}  // namespace elastic")


main()
