#pragma once

// The pieces of report.html (html.cpp puts them together).

#include <string>
#include <string_view>

#include "reports/document.h"
#include "reports/input.h"
#include "reports/render/svg.h"

namespace elastic::reports {

/// A numbered table; folded ones open on demand.
std::string html_table(const Table& table, int number);

/// A numbered figure: every panel as SVG, charts also as data for plotly.
std::string html_figure(const Figure& figure, int number, Palette& palette);

/// JSON for a <script type="application/json"> element: no `<` left in it, so nothing in it can
/// close the element or open another.
std::string script_json(const Json& value);

Json filter_json(const SampleFilter& filter);

/// Every sample of the input as columns, texts cut to what keeps the page within a few MB.
Json samples_json(const ReportInput& input);

/// The style sheet and script of the page (reports/render/assets).
extern const std::string_view kReportCss;
extern const std::string_view kReportJs;

}  // namespace elastic::reports
