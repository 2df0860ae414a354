#include <fmt/format.h>

#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "reports/render/html_parts.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

// Base64 of a SHA-256 in hex, as a Content-Security-Policy wants it.
std::string base64_of_hex(const std::string& hex) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const char c : hex) {
    bits = bits << 4 | static_cast<unsigned>(nibble(c));
    for (held += 4; held >= 6; held -= 6) out += kDigits[bits >> (held - 6) & 63];
  }
  return out + kDigits[bits << (6 - held) & 63] + '=';  // of 256 bits, four are left
}

// `</script` inside a script would end its element; in a JavaScript string or comment the escaped
// form means the same.
std::string script_text(std::string_view script) {
  return replace_all(replace_all(script, "</script", "<\\/script"), "<!--", "<\\!--");
}

// Only these scripts run, whatever a run's texts hold: everything else is refused by hash.
std::string security_policy(const std::vector<std::string>& scripts) {
  std::string policy =
      "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src";
  for (const std::string& script : scripts) {
    policy += " 'sha256-" + base64_of_hex(sha256_hex(script)) + "'";
  }
  return policy;
}

std::string fact(std::string_view value, std::string_view name) {
  return fmt::format("<div><b>{}</b><span>{}</span></div>", escape_html(value), escape_html(name));
}

std::string joined(const std::set<std::string>& names) {
  return join(std::vector<std::string>(names.begin(), names.end()), ", ");
}

std::string setting(const ReportInput::Run& run, const std::string& key) {
  for (const auto* map : {&run.data.spec.environment, &run.data.spec.settings}) {
    const auto at = map->find(key);
    if (at != map->end()) return at->second;
  }
  return "";
}

std::string header(const ReportInput& input, std::span<const Document> documents) {
  if (input.runs.empty() && !documents.empty()) {
    return "<header>\n<h1>" + escape_html(documents.front().title) + "</h1>\n</header>\n";
  }
  std::set<std::string> models, modes, tasks, devices;
  std::set<std::int64_t> lengths;
  std::int64_t scored = 0, planned = 0;
  std::string created;
  for (const auto& run : input.runs) {
    models.insert(run.summary.models.begin(), run.summary.models.end());
    modes.insert(run.summary.modes.begin(), run.summary.modes.end());
    tasks.insert(run.summary.tasks.begin(), run.summary.tasks.end());
    lengths.insert(run.summary.lengths.begin(), run.summary.lengths.end());
    for (const runs::Cell& cell : run.summary.cells) {
      scored += cell.scored;
      planned += cell.planned;
    }
    std::string device = setting(run, "device");
    if (const std::string dtype = setting(run, "dtype"); !dtype.empty()) device += ", " + dtype;
    if (!device.empty()) devices.insert(device);
    created = std::max(created, run.data.spec.created);
  }
  std::string html = "<header>\n<h1>" + escape_html(models.empty() ? "Empty run" : joined(models)) +
                     "</h1>\n<p class=\"subtitle\">";
  std::vector<std::string> names;
  for (const auto& run : input.runs) names.push_back(run.name);
  html += escape_html((names.size() > 1 ? "Runs " : "Run ") + join(names, ", "));
  if (!created.empty()) html += escape_html(" · " + created);
  if (!devices.empty()) html += escape_html(" · " + joined(devices));
  html += "</p>\n<div class=\"facts\">";
  html += fact(fmt::format("{} of {}", scored, planned), "samples scored");
  html += fact(std::to_string(tasks.size()), "tasks");
  std::vector<std::string> spans;
  spans.reserve(lengths.size());
  for (const std::int64_t length : lengths) spans.push_back(format_length(length));
  if (spans.size() > 4) spans = {spans.front() + " – " + spans.back()};
  if (!spans.empty()) html += fact(join(spans, ", "), "prompt lengths, tokens");
  html += fact(joined(modes), "modes") + "</div>\n";
  if (!input.warnings.empty()) {
    html += "<ul class=\"notes\">";
    for (const std::string& warning : input.warnings) {
      html += "<li>" + escape_html(warning) + "</li>";
    }
    html += "</ul>\n";
  }
  return html + "</header>\n";
}

constexpr std::string_view kBrowser = R"(<dialog id="browser" aria-label="Samples">
<div class="bar"><select id="select-run" aria-label="Run"></select><select id="select-model" aria-label="Model"></select>
<select id="select-mode" aria-label="Mode"></select><select id="select-task" aria-label="Task"></select>
<select id="select-length" aria-label="Length"></select><select id="select-stratum" aria-label="Stratum"></select>
<select id="outcome" aria-label="Outcome"><option value="">any outcome</option><option value="right">full score</option>
<option value="wrong">less than full score</option><option value="failed">failed</option></select>
<input id="query" type="search" placeholder="find in answers" aria-label="Find in answers" size="16">
<span class="space"></span><span id="shown" role="status"></span>
<button id="previous" type="button" aria-label="Previous page">‹</button><button id="next" type="button" aria-label="Next page">›</button>
<button id="close" type="button">Close</button></div>
<div class="list"><table><thead><tr><th id="run-column" data-by="run">Run</th><th data-by="task">Task</th>
<th data-by="mode">Mode</th><th class="num" data-by="length">Length</th><th class="num" data-by="index">Index</th>
<th class="num" data-by="score">Score</th><th class="num" data-by="msr">MSR</th><th class="num" data-by="prefill">Prefill, ms</th>
<th>Prediction</th><th>References</th></tr></thead><tbody></tbody></table></div>
</dialog>
)";

std::string body(const ReportInput& input, std::span<const Document> documents) {
  std::string nav, main;
  int table_number = 0, figure_number = 0;
  Palette palette;
  for (const Document& document : documents) {
    if (document.empty()) continue;
    const std::string id = file_stem(document.id);
    nav += fmt::format("<a href=\"#{}\">{}</a>", id, escape_html(document.title));
    main += fmt::format("<section>\n<h2 id=\"{}\">{}</h2>\n", id, escape_html(document.title));
    if (!document.intro.empty()) main += "<p>" + escape_html(document.intro) + "</p>\n";
    for (const Figure& figure : document.figures) {
      main += html_figure(figure, ++figure_number, palette);
    }
    for (const Table& table : document.tables) main += html_table(table, ++table_number);
    main += "</section>\n";
  }
  const std::string samples =
      input.runs.empty() ? "" : "<button id=\"all-samples\" type=\"button\">Samples</button>";
  return header(input, documents) + "<nav><div>" + nav + "<span class=\"space\"></span>" + samples +
         "<button id=\"theme\" type=\"button\">Light / dark</button></div></nav>\n<main>\n" + main +
         "</main>\n";
}

}  // namespace

OutputFile render_html(const ReportInput& input, std::span<const Document> documents,
                       std::string_view plotly_js) {
  std::vector<std::string> scripts;
  if (!plotly_js.empty()) scripts.push_back(script_text(plotly_js));
  scripts.push_back(script_text(kReportJs));
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n",
                      security_policy(scripts));
  html += "<title>elastic-bench report</title>\n<style>\n";
  html.append(kReportCss).append("</style>\n</head>\n<body>\n");
  html += body(input, documents);
  html += "<footer>";
  if (!input.runs.empty()) {
    html += "Scores are 0-100; intervals are 95 %. Click a number or a point for its samples. ";
  }
  html +=
      "The same data lie beside this file as CSV and JSON, the tables as Markdown and LaTeX, the "
      "figures as SVG and Vega-Lite.";
  if (plotly_js.empty()) html += " Made without plotly.js: charts are still pictures.";
  html += "</footer>\n";
  html.append(kBrowser);
  html += "<script type=\"application/json\" id=\"samples\">";
  html += script_json(samples_json(input));
  html += "</script>\n";
  for (const std::string& script : scripts) html += "<script>" + script + "</script>\n";
  return {"report.html", html + "</body>\n</html>\n"};
}

}  // namespace elastic::reports
