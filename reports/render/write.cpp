#include "reports/render/write.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/registry.h"
#include "base/unicode.h"
#include "reports/registry.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

using Renderer = std::vector<OutputFile> (*)(std::span<const Document>);

struct Format {
  const char* name;
  Renderer render;  // null: HTML, which also needs the samples
};

constexpr std::array<Format, 8> kFormats{{{"html", nullptr},
                                          {"csv", render_csv},
                                          {"json", render_json},
                                          {"md", render_markdown},
                                          {"latex", render_latex},
                                          {"svg", render_svg},
                                          {"vega", render_vega_lite},
                                          {"sql", render_sql}}};

}  // namespace

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kFormats));
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

std::vector<std::filesystem::path> write_documents(const ReportInput& input,
                                                   const WriteOptions& options,
                                                   const std::vector<Document>& documents) {
  std::vector<const Format*> formats;
  for (const std::string& name : options.formats) {
    formats.push_back(&find_entry(std::span<const Format>(kFormats), "format", name));
  }
  std::vector<std::filesystem::path> written;
  const auto write = [&](const OutputFile& file) {
    create_folders((options.output / file.path).parent_path());
    write_file_atomic(options.output / file.path, file.bytes);
    written.push_back(options.output / file.path);
  };
  for (const Format* format : formats) {
    if (format->render == nullptr) {
      const std::string plotly = options.plotly_js.empty() ? "" : read_file(options.plotly_js);
      write(render_html(input, documents, plotly));
      continue;
    }
    for (const OutputFile& file : format->render(documents)) write(file);
  }
  return written;
}

std::vector<std::filesystem::path> write_report(const ReportInput& input,
                                                const WriteOptions& options,
                                                std::vector<Document> first) {
  std::ranges::move(build_documents(input), std::back_inserter(first));
  return write_documents(input, options, first);
}

std::string summary_text(const ReportInput& input) {
  std::string text;
  for (const Document& document : {overview_document(input), scores_document(input)}) {
    for (const Table& table : document.tables) {
      if (table.folded) continue;
      text += (text.empty() ? "" : "\n") + visible(table.title) + "\n\n" + markdown_table(table);
    }
  }
  return text;
}

}  // namespace elastic::reports
