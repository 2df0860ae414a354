// curves.csv of a training: any bytes are curves that can be shown, or an Error.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "reports/render/render.h"
#include "reports/training_curves.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    const reports::TrainingCurves curves =
        reports::parse_training_curves({reinterpret_cast<const char*>(data), size}, "curves.csv");
    const std::size_t rows = curves.values.at("step").size();
    for (const auto& [column, values] : curves.values) {
      check(values.size() == rows, "every column has every row");
      reports::last_mean(curves, column);
    }
    const std::vector<reports::Document> documents = {reports::training_document({curves})};
    reports::render_csv(documents);
    reports::render_svg(documents);
  } catch (const Error&) {
  }
  return 0;
}
