#pragma once

// Numbers as Python prints and rounds them, for results that must be equal to a Python program's
// digit for digit.
//
//   python_round(2.675, 2) == 2.67      // round(): nearest to the exact binary value, ties to even
//   numpy_round(2.675, 2) == 2.68       // numpy.round(): scale, nearest integer, scale back
//   python_float(57) == "57.0"

#include <span>
#include <string>

namespace elastic {

/// Shortest digits that read back, with ".0" where whole; "nan", "inf" as repr() has them.
std::string python_float(double value);

double python_round(double value, int digits);
double numpy_round(double value, int digits);

/// numpy.mean() of doubles: pairwise summation in blocks of 128 with eight accumulators. NaN for
/// an empty list.
double numpy_mean(std::span<const double> values);

}  // namespace elastic
