#pragma once

// The few names of Gloo that LibTorch's ProcessGroupGloo.hpp uses, and no more. LibTorch's wheel
// carries the library inside libtorch_cpu.so but not its headers, and c10d's class holds Gloo's
// objects behind pointers alone, so that declarations are enough: no symbol of Gloo is referenced
// from here. Valid for LibTorch 2.11; process_group.cpp holds the version and the sizes of c10d's
// classes to it.

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
