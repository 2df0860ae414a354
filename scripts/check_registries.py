#!/usr/bin/env python3
"""A registry is a plain array in registry.cpp: a factory (make_*, add_*), a report (Document name(const
ReportInput&)) or a suite (constexpr Suite kName) that its folder defines and nothing there names has been forgotten in
it. So is an option of a mode that the glossary of reports lacks. Exit 1 on one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("engine", "harness", "reports", "tasks")
SUITE = re.compile(r"^inline constexpr Suite (k\w+) =", re.MULTILINE)
# Options that a mode's summary lists, and those that reports explain.
OPTIONS = re.compile(r"; options ([\w, ]+)")
EXPLAINED = re.compile(r'^    \{"[\w-]*", "(\w+)",', re.MULTILINE)
REPORT = re.compile(r"^Document (\w+)\(const ReportInput& \w+\) \{", re.MULTILINE)
FACTORY = re.compile(r"^(?:std::unique_ptr<[\w:]+>|void) ((?:make|add)_\w+)\(", re.MULTILINE)


def exported(text):
    """Without unnamed namespaces: what is in them is a helper, not a factory."""
    return re.sub(r"^namespace \{$.*?^\}  // namespace$", "", text, flags=re.MULTILINE | re.DOTALL)


def main():
    forgotten = factories = 0
    for registry in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("registry.cpp")):
        texts = {source: source.read_text() for source in registry.parent.rglob("*.cpp")}
        headers = "".join(header.read_text() for header in registry.parent.rglob("*.h"))
        of_suites = set(re.findall(r"\.make = (\w+)", headers))
        for name in SUITE.findall(headers):
            factories += 1
            if not re.search(rf"\b{name}\b", texts[registry]):
                forgotten += 1
                print(f"{name} stands in no line of {registry.relative_to(ROOT)}")
        for source in sorted(texts.keys() - {registry}):
            for name in REPORT.findall(exported(texts[source])):
                factories += 1
                if not re.search(rf"\b{name}\b(?!\()", texts[registry]):
                    forgotten += 1
                    print(f"{source.relative_to(ROOT)}: {name}() stands in no line of {registry.relative_to(ROOT)}")
            for name in FACTORY.findall(exported(texts[source])):
                factories += 1
                if name in of_suites:
                    continue
                if not any(re.search(rf"\b{name}\b", text) for other, text in texts.items() if other != source):
                    forgotten += 1
                    print(f"{source.relative_to(ROOT)}: {name}() stands in no line of {registry.relative_to(ROOT)}")
    modes = (ROOT / "engine/attention/registry.cpp").read_text().replace('"\n     "', "")
    explained = set(EXPLAINED.findall((ROOT / "reports/option_glossary.cpp").read_text()))
    for options in OPTIONS.findall(modes):
        for option in options.split(", "):
            if " " not in option and option not in explained:  # "those of ssa"
                forgotten += 1
                print(f"option {option} of engine/attention/registry.cpp stands in no line of reports/option_glossary.cpp")
    print(f"registries: {factories} factories, {forgotten} forgotten")
    return 1 if forgotten or not factories else 0


sys.exit(main())
