#pragma once

// Head modes by name.

#include <memory>
#include <string>

#include "base/registry.h"
#include "engine/attention/registry.h"

namespace elastic::testing {

inline std::unique_ptr<engine::HeadMode> mode_of(const std::string& text) {
  engine::ModeOptions options(text);
  auto mode = find_entry(engine::head_modes(), "mode", options.name()).make(options, {});
  options.finish();
  return mode;
}

}  // namespace elastic::testing
