#pragma once

// Numbers of the paper beside the same numbers made here, each with a verdict:
//
//   within noise        the published number lies in the measured interval, or no further from it
//                       than it was rounded or digitised
//   outside             it does not
//   not comparable      both are there, but made of something else: the notes say of what
//   not measured        the notes say why
//   not in the paper    a row or column of our own
//   same, differs       of settings
//
// Of the difference between two rows (FA-SSA less FA), which says something on any model: within
// noise as above, else whether both have the same sign, another one, or ours shows none.
//
//   const Document document = reproduction_document({.experiment = "table1", .numbers = numbers});

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/published.h"
#include "runs/statistics.h"

namespace elastic::reports {

struct ReproducedNumber {
  std::string row, column, quantity;  // as in published.h
  std::optional<double> published;
  double tolerance = 0;                    // of a published number that was digitised
  std::vector<std::string> slips = {};     // of the published number
  std::optional<runs::Estimate> measured;  // in the unit of `published`
  std::int64_t samples = 0;                // behind the published number; 0: not known
  bool between_rows = false;               // of "FA-SSA - FA"
  std::vector<std::string> obstacles;  // why the two are not of the same thing, or one is absent
};

struct Reproduction {
  std::string experiment, title;
  std::string model;        // here
  std::string paper_model;  // whose rows these are; empty where the paper names none
  std::string how;          // what was measured and how, a sentence or two
  std::vector<ReproducedNumber> numbers;
};

/// What the paper prints there, with what is known of it; nothing for null.
void set_published(const PublishedNumber* published, ReproducedNumber& number);

/// A number in the place of a printed one, nothing measured yet.
ReproducedNumber number_beside(const PublishedNumber& printed);

std::string verdict(const ReproducedNumber& number);

/// A table a quantity, one of the differences, one of the notes; sheet `reproduce_<experiment>`.
Document reproduction_document(const Reproduction& reproduction);

}  // namespace elastic::reports
