#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

constexpr Identity kPlotlyIds[] = {
    {"3b6e15d45dbb7fca5bd2094291e961ddc5472cd887009e6009a56dab668d721f", 4815814, "7.1.0"}};
constexpr DataFile kPlotly[] = {
    {"plotly/plotly.min.js", "plotly/package_data/plotly.min.js", kPlotlyIds}};
constexpr std::string_view kPlotlyMirrors[] = {
    "https://files.pythonhosted.org/packages/py3/p/plotly/",
    "https://pypi.io/packages/py3/p/plotly/"};

constexpr DataSource kPlotlySources[] = {
    {.name = "plotly",
     .summary = "zoom and hover in report.html",
     .licence = "MIT",
     .kind = SourceKind::kArchive,
     .shape = Shape::kLines,
     .files = kPlotly,
     .mirrors = kPlotlyMirrors,
     .archive_remote = "plotly-7.1.0-py3-none-any.whl",
     .archive = {"dbb7fa18afce40d0a8e80d1bf162eceb3faa0ce5a77fe741ad09a74cf78f53f3", 9692368, ""}},
};

}  // namespace

std::span<const DataSource> report_sources() { return kPlotlySources; }

}  // namespace elastic::datasets
