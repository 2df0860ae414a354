#!/usr/bin/env python3
"""A registry is a plain array: every factory a folder defines must stand in its registry.cpp. Exit 1 otherwise."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FACTORY = re.compile(r"^(?:std::unique_ptr<[\w:]+>|void|ModelFamily|\w*Family) ((?:make|add)_\w+)\(", re.MULTILINE)
LOOKUPS = {"make_task", "make_report", "make_mode", "make_head_mode", "make_policy", "make_head_policy"}


def registered_elsewhere(text):
    """Names inside unnamed namespaces are helpers, not factories."""
    return re.sub(r"^namespace \{$.*?^\}  // namespace$", "", text, flags=re.MULTILINE | re.DOTALL)


def main():
    faults = factories = 0
    for registry in sorted(ROOT.glob("*/**/registry.cpp")):
        if registry.is_relative_to(ROOT / "build") or registry.is_relative_to(ROOT / "base"):
            continue
        known = registry.read_text()
        for source in sorted(registry.parent.rglob("*.cpp")):
            if source == registry:
                continue
            for name in FACTORY.findall(registered_elsewhere(source.read_text())):
                if name in LOOKUPS:
                    continue
                factories += 1
                if not re.search(rf"\b{name}\b", known):
                    faults += 1
                    print(f"{source.relative_to(ROOT)}: {name}() stands in no line of {registry.relative_to(ROOT)}")
    print(f"registries: {factories} factories, {faults} missing")
    return 1 if faults or not factories else 0


sys.exit(main())
