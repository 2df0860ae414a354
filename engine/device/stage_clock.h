#pragma once

// Time spent in the named stages of a prefill or a training step. On the CPU a stopwatch; on an
// accelerator pairs of events on the current stream, read once at the end, so that measuring does
// not stop the device between kernels.
//
//   StageClock clock(device);
//   clock.time(Stage::kAttention, [&] { mode.forward(input, heads, out); });
//   double ms = clock.milliseconds(Stage::kAttention);   // waits for the device

#include <c10/core/Device.h>

#include <array>
#include <memory>
#include <utility>

namespace elastic::engine {

enum class Stage { kRouter, kSelect, kAttention, kForward, kBackward, kOptimizer };

/// Waits until everything queued on the device is done; nothing on the CPU.
void synchronize(c10::Device device);

class StageClock {
 public:
  explicit StageClock(c10::Device device);
  ~StageClock();
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;

  template <typename Work>
  void time(Stage stage, Work&& work) {
    start(stage);
    std::forward<Work>(work)();
    stop(stage);
  }

  double milliseconds(Stage stage);

 private:
  void start(Stage stage);
  void stop(Stage stage);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::engine
