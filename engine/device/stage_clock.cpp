#include "engine/device/stage_clock.h"

#include <c10/core/Event.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <vector>

#include "base/clock.h"

namespace elastic::engine {
namespace {

constexpr std::size_t kStages = 6;

c10::Event record_event(c10::Device device) {
  c10::Event event(device.type(),
                   c10::EventFlag::BACKEND_DEFAULT);  // the backend's default keeps time
  event.record(c10::impl::getDeviceGuardImpl(device.type())->getStream(device));
  return event;
}

}  // namespace

struct StageClock::Impl {
  struct Interval {
    c10::Event begin, end;
  };
  c10::Device device;
  std::array<double, kStages> milliseconds{};
  std::array<Stopwatch, kStages> watches;
  std::array<std::vector<c10::Event>, kStages> open;
  std::array<std::vector<Interval>, kStages> intervals;
};

void synchronize(c10::Device device) {
  if (!device.is_cpu())
    c10::impl::getDeviceGuardImpl(device.type())->synchronizeDevice(device.index());
}

StageClock::StageClock(c10::Device device) : impl_(new Impl{device, {}, {}, {}, {}}) {}
StageClock::~StageClock() = default;

void StageClock::start(Stage stage) {
  const auto index = static_cast<std::size_t>(stage);
  if (impl_->device.is_cpu()) {
    impl_->watches[index] = Stopwatch();
  } else {
    impl_->open[index].push_back(record_event(impl_->device));
  }
}

void StageClock::stop(Stage stage) {
  const auto index = static_cast<std::size_t>(stage);
  if (impl_->device.is_cpu()) {
    impl_->milliseconds[index] += impl_->watches[index].milliseconds();
  } else {
    impl_->intervals[index].push_back(
        {std::move(impl_->open[index].back()), record_event(impl_->device)});
    impl_->open[index].pop_back();
  }
}

double StageClock::milliseconds(Stage stage) {
  const auto index = static_cast<std::size_t>(stage);
  if (!impl_->intervals[index].empty()) {
    synchronize(impl_->device);
    for (const Impl::Interval& interval : impl_->intervals[index]) {
      impl_->milliseconds[index] += interval.begin.elapsedTime(interval.end);
    }
    impl_->intervals[index].clear();
  }
  return impl_->milliseconds[index];
}

}  // namespace elastic::engine
