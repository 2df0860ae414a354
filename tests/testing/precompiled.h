#pragma once

// What most tests include, compiled once a test binary.
// Without fmt: engine tests see LibTorch's own.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
