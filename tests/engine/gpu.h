#pragma once

// What the GPU suites share: the device, or a skip that says so. They form the ctests labelled
// `gpu`, skipped on a machine without one.

#include <c10/core/Device.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "engine/device/device.h"

namespace elastic::testing {

class GpuSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      device_ = engine::resolve_device("cuda");
    } catch (const Error& error) {
      GTEST_SKIP() << "no GPU to test on: " << error.what();
    }
  }

  c10::Device device_{c10::kCPU};
};

}  // namespace elastic::testing
