#pragma once

// What most torch-free sources include, compiled once a library. Not part of any interface: every
// source still includes what it uses, and CI builds the preset `core` without it.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
