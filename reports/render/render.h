#pragma once

// Renderers: documents to files. They know tables, figures and sheets, never a report, so every
// report has every format for free.
//
//   for (const OutputFile& file : render_csv(documents)) write(folder / file.path, file.bytes);

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"

namespace elastic::reports {

struct OutputFile {
  std::string path;  // relative to the output folder: plain names, at most one folder deep
  std::string bytes;
};

std::vector<OutputFile> render_csv(std::span<const Document> documents);       // <sheet>.csv
std::vector<OutputFile> render_json(std::span<const Document> documents);      // <sheet>.json
std::vector<OutputFile> render_markdown(std::span<const Document> documents);  // tables/*.md
std::vector<OutputFile> render_latex(std::span<const Document> documents);     // tables/*.tex

/// report.sql: a table for each sheet, to be read by SQLite and others (`sqlite3 results.db <
/// report.sql`).
std::vector<OutputFile> render_sql(std::span<const Document> documents);

std::vector<OutputFile> render_svg(std::span<const Document> documents);        // figures/*.svg
std::vector<OutputFile> render_vega_lite(std::span<const Document> documents);  // figures/*.vl.json

/// One table with padded columns: reads well as plain text in a terminal, too.
std::string markdown_table(const Table& table);

/// report.html: one file, no reference to anything outside it. `plotly_js` may be empty: figures
/// are then still SVG, only zoom and hover by plotly are gone.
OutputFile render_html(const ReportInput& input, std::span<const Document> documents,
                       std::string_view plotly_js);

/// A value as people read it: fixed digits, a dash for unknown.
std::string display(const Value& value, int digits);
std::string column_title(const Column& column);

inline constexpr std::size_t kLongText = 46;  // longer texts of cells wrap

/// "71.0-88.0"; "-27.0 to -1.6" where a sign would be taken for the dash.
std::string interval_text(const runs::Interval& interval, int digits, std::string_view dash);

/// "12 of 20" where samples of a cell have no score; "n 12" where the table's cells have different
/// numbers of them; else empty.
std::string count_note(const Table& table, const Cell& cell);

/// Letters, digits, `_` and `-` of an id; anything else becomes `_`, so that a hostile task name
/// cannot leave the output folder.
std::string file_stem(std::string_view id);

}  // namespace elastic::reports
