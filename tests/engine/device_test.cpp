// Clock, memory meter and choice of device; accelerators by one of a kind that no LibTorch has: its
// events count, its memory is what the test says.

#include "engine/device/device.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <ATen/ops/empty.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/api/make_generator.h"
#include "engine/device/cuda_library.h"
#include "engine/device/memory_meter.h"
#include "engine/device/stage_clock.h"

namespace elastic::engine {
namespace {

constexpr c10::DeviceType kMadeUp = c10::DeviceType::FPGA;

struct MadeUpDevice {
  std::int64_t now = 0;  // of its events
  int synchronized = 0, peak_resets = 0;
};
MadeUpDevice made_up;

class MadeUpGuard final : public c10::impl::NoOpDeviceGuardImpl<kMadeUp> {
 public:
  c10::Stream getStream(c10::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, c10::Device(kMadeUp, 0));
  }
  void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
    *event = reinterpret_cast<void*>(++made_up.now);
  }
  bool queryEvent(void*) const override { return made_up.synchronized > 0; }
  void synchronizeDevice(c10::DeviceIndex) const override { ++made_up.synchronized; }
  double elapsedTime(void* begin, void* end, c10::DeviceIndex) const override {
    return static_cast<double>(reinterpret_cast<std::intptr_t>(end) -
                               reinterpret_cast<std::intptr_t>(begin));
  }
};
C10_REGISTER_GUARD_IMPL(FPGA, MadeUpGuard)

class MadeUpMemory final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(std::size_t) override { return {}; }
  void copy_data(void*, const void*, std::size_t) const override {}
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    for (std::size_t pool = 0; pool < stats.allocated_bytes.size(); ++pool) {
      stats.allocated_bytes[pool].peak = 1000 + static_cast<std::int64_t>(pool);
      stats.allocated_bytes[pool].current = 7;
    }
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { ++made_up.peak_resets; }
};

TEST(StageClock, EventsOfAnAcceleratorAreReadAtTheEnd) {
  made_up = {};
  StageClock clock(c10::Device(kMadeUp, 0));
  clock.time(Stage::kForward, [] { made_up.now += 10; });  // 1 .. 12
  clock.time(Stage::kForward, [&] {
    made_up.now += 3;
    clock.time(Stage::kForward, [] { made_up.now += 5; });  // 17 .. 23
    clock.time(Stage::kBackward, [] { made_up.now += 100; });
  });
  EXPECT_EQ(made_up.synchronized, 0) << "measuring waits for nothing";
  EXPECT_EQ(clock.milliseconds(Stage::kForward), 11 + 6 + (1 + 3 + 1 + 6 + 101 + 1));
  EXPECT_EQ(made_up.synchronized, 1);
  EXPECT_EQ(clock.milliseconds(Stage::kForward), 11 + 6 + 113) << "no interval counts twice";
  EXPECT_EQ(clock.milliseconds(Stage::kBackward), 101);
  EXPECT_EQ(clock.milliseconds(Stage::kOptimizer), 0);
  EXPECT_EQ(made_up.synchronized, 2);
}

TEST(StageClock, TheCpuCountsTheTimeOfItsStages) {
  const auto sleep = [](int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  };
  StageClock clock(c10::kCPU);
  sleep(400);
  clock.time(Stage::kSelect, [] {});
  EXPECT_LT(clock.milliseconds(Stage::kSelect), 300) << "from the start of the stage";
  clock.time(Stage::kRouter, [&] { sleep(30); });
  clock.time(Stage::kRouter, [&] { sleep(30); });
  EXPECT_GE(clock.milliseconds(Stage::kRouter), 60);
  EXPECT_EQ(clock.milliseconds(Stage::kOptimizer), 0);
  synchronize(c10::kCPU);
}

TEST(Memory, OfAnAcceleratorIsItsAllocatorsPeak) {
  made_up = {};
  static MadeUpMemory memory;
  c10::SetAllocator(kMadeUp, &memory);
  const MemoryMeter meter(c10::Device(kMadeUp, 0));
  EXPECT_EQ(made_up.peak_resets, 1);
  EXPECT_EQ(meter.peak_bytes(), 1000) << "of all pools together";
}

TEST(Memory, BlocksAreCopiedAndGivenBack) {
  count_cpu_memory();
  c10::Allocator* allocator = c10::GetCPUAllocator();
  const char text[] = "what lies in a block";
  const c10::DataPtr copy = allocator->clone(text, sizeof(text));
  EXPECT_EQ(std::memcmp(copy.get(), text, sizeof(text)), 0);
  const auto mapped = [] { return mallinfo2().hblkhd; };
  const std::size_t before = mapped();
  for (int i = 0; i < 20; ++i) at::empty({std::int64_t{64} << 20}, at::kByte);
  EXPECT_EQ(mapped(), before);
}

TEST(Device, EveryModelsMemoryIsOnAccount) {
  count_cpu_memory();
  c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), 1);
  ASSERT_EQ(c10::GetCPUAllocator(), c10::GetDefaultCPUAllocator());
  EXPECT_TRUE(resolve_device("cpu").is_cpu());
  EXPECT_NE(c10::GetCPUAllocator(), c10::GetDefaultCPUAllocator());
}

TEST(Device, WhereThereIsNoneTheReasonIsSaid) {
  const CudaLibrary& cuda = cuda_library();
  if (!cuda.devices.empty()) GTEST_SKIP() << "a GPU is here";
  EXPECT_EQ(cuda.attention, nullptr);
  EXPECT_FALSE(cuda.problem.empty());
  EXPECT_EQ(describe_accelerator(), "none (" + cuda.problem + ")");
  EXPECT_TRUE(resolve_device("auto").is_cpu());
  const auto error_of = [](const char* name, ErrorKind kind) -> std::string {
    try {
      resolve_device(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of("cuda", ErrorKind::kDevice), "device `cuda`: " + cuda.problem);
  EXPECT_EQ(error_of("cuda:0", ErrorKind::kInvalidArgument),
            "device `cuda:0`; known: auto, cpu, cuda");
  if (cuda.problem == "no NVIDIA driver on this machine") {
    EXPECT_FALSE(cuda.broken);
    EXPECT_TRUE(fallbacks("auto", "cpu", "fp32", 64).empty()) << "nothing was to be had";
  }
}

TEST(Device, MeasurementsThatFellBackSaySo) {
  EXPECT_TRUE(fallbacks("cpu", "cpu", "fp32", 20).empty());
  EXPECT_TRUE(fallbacks("auto", "cuda:0", "bf16", 64).empty());
  const auto composed = [](const char* dtype, std::int64_t head_dim) {
    return fallbacks("cuda", "cuda:0", dtype, head_dim);
  };
  EXPECT_EQ(composed("fp32", 64),
            (std::vector<std::string>{"no attention kernel of cuda:0 takes fp32 heads of 64: the "
                                      "composed reference ran"}));
  EXPECT_EQ(composed("bf16", 20).size(), 1u);
  EXPECT_EQ(composed("bf16", 264).size(), 1u);
  EXPECT_TRUE(composed("bf16", 256).empty());
}

}  // namespace
}  // namespace elastic::engine
