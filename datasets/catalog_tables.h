#pragma once

// The rows of the catalogue, one file a suite.

#include <span>

#include "datasets/catalog.h"

namespace elastic::datasets {

std::span<const DataSource> ruler_sources();
std::span<const DataSource> longbench_sources();
std::span<const DataSource> jieba_sources();
std::span<const DataSource> report_sources();
std::span<const DataSource> model_sources();

}  // namespace elastic::datasets
