#include "reports/published.h"

#include <map>

#include "base/json.h"

namespace elastic::reports {

extern const std::string_view kPublishedJson;  // published_json.cpp.in

namespace {

using Numbers = std::map<std::string, std::vector<PublishedNumber>, std::less<>>;

std::string text(const Json& object, const char* key) { return object.value(key, std::string()); }

// A row's quantities: lists by the experiment's columns, or objects of columns.
void add_row(const Json& experiment, const Json& row, std::vector<PublishedNumber>& numbers) {
  for (const auto& [quantity, values] : row.items()) {
    if (!values.is_structured()) continue;
    const double tolerance =
        experiment.value("tolerance", Json::object()).value(std::string(quantity), 0.0);
    std::size_t at = 0;
    for (const auto& [key, value] : values.items()) {
      const std::string column =
          values.is_array() ? experiment.at("columns").at(at++).get<std::string>() : key;
      if (value.is_null()) continue;
      numbers.push_back(
          {text(row, "model"), text(row, "row"), column, quantity, value.get<double>(), tolerance});
    }
  }
}

bool is_of(const Json& slip, const PublishedNumber& number) {
  const auto agrees = [&slip](const char* key, const std::string& value) {
    return !slip.contains(key) || slip[key] == value;
  };
  return agrees("model", number.model) && agrees("row", number.row) &&
         agrees("column", number.column) && agrees("quantity", number.quantity);
}

Numbers read_numbers() {
  const Json file = parse_json(kPublishedJson, "published.json");
  Numbers all;
  for (const auto& [name, experiment] : file.at("experiments").items()) {
    for (const Json& row : experiment.at("rows")) add_row(experiment, row, all[name]);
  }
  for (const Json& slip : file.at("slips")) {
    for (PublishedNumber& number : all.at(text(slip, "experiment"))) {
      if (is_of(slip, number)) number.slips.push_back(text(slip, "note"));
    }
  }
  return all;
}

}  // namespace

const std::vector<PublishedNumber>& published_numbers(std::string_view experiment) {
  static const Numbers all = read_numbers();
  static const std::vector<PublishedNumber> none;
  const auto found = all.find(experiment);
  return found == all.end() ? none : found->second;
}

const PublishedNumber* find_published(std::string_view experiment, std::string_view model,
                                      std::string_view row, std::string_view column,
                                      std::string_view quantity) {
  for (const PublishedNumber& number : published_numbers(experiment)) {
    const bool of_model = number.model.empty() || number.model == model;
    if (of_model && number.row == row && number.column == column && number.quantity == quantity) {
      return &number;
    }
  }
  return nullptr;
}

}  // namespace elastic::reports
