#pragma once

// CLI11 is header-only on Debian 12 and costs 5 s a file: paid once here.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
