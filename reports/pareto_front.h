#pragma once

// Which points no other point beats.

#include <optional>
#include <span>
#include <vector>

namespace elastic::reports {

/// Coordinates of one candidate, all "higher is better"; an unknown one takes no part in the
/// comparison with others.
using Objectives = std::vector<std::optional<double>>;

/// on[i] is true where no j is at least as good in every coordinate known for both and better in
/// one of them. Equal points stay both. A candidate whose first coordinate (the score) is unknown
/// is never on the front and beats nobody.
std::vector<bool> pareto_front(std::span<const Objectives> candidates);

}  // namespace elastic::reports
