// What the driver says of a GPU, by a management library that is made up.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/generate/gpu_conditions.h"

namespace elastic::engine {
namespace {

constexpr char kPci[] = "0000:17:00.0";

// Variables of the made-up library, for as long as a test runs.
class GpuWatching : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const auto& [name, value] : said_) ::unsetenv(name.c_str());
  }
  void say(const std::string& what, int value) {
    const std::string name = "FAKE_NVML_" + what;
    said_[name] = value;
    ::setenv(name.c_str(), std::to_string(value).c_str(), 1);
  }
  static std::optional<GpuReading> reading() {
    const auto nvml = open_nvml(ELASTIC_FAKE_CUDA);
    return nvml ? read_gpu(*nvml, kPci) : std::nullopt;
  }

 private:
  std::map<std::string, int> said_;
};

TEST_F(GpuWatching, AReadingHasWhatTheDriverSays) {
  const auto now = reading();
  ASSERT_TRUE(now);
  EXPECT_EQ(now->sm_mhz, 1501) << "of the multiprocessors";
  EXPECT_EQ(now->sm_mhz_most, 1981);
  EXPECT_EQ(now->watts, 690.5);
  EXPECT_EQ(now->watts_limit, 700);
  EXPECT_EQ(now->celsius, 64);
  EXPECT_EQ(now->held_back_by, 4u);
  EXPECT_EQ(now->millijoules, 123456u);
  EXPECT_EQ(now->processes, 1);
}

TEST_F(GpuWatching, WhatIsRefusedIsNotMadeUp) {
  for (const char* what :
       {"MOST_CLOCK", "POWER_LIMIT", "TEMPERATURE", "REASONS", "ENERGY", "PROCESSES"}) {
    say(what, -1);
  }
  const auto now = reading();
  ASSERT_TRUE(now);
  EXPECT_EQ(now->sm_mhz_most + now->watts_limit + now->celsius + now->processes, 0);
  EXPECT_EQ(now->held_back_by, 0u);
  EXPECT_FALSE(now->millijoules);
  EXPECT_FALSE(conditions_of(std::array{*now, *now})->joules);
  say("CLOCK", -1);
  EXPECT_FALSE(reading()) << "no clock";
  say("CLOCK", 1500);
  say("POWER", -1);
  EXPECT_FALSE(reading()) << "no power";
}

TEST_F(GpuWatching, EnergyIsReadByItself) {
  const auto nvml = open_nvml(ELASTIC_FAKE_CUDA);
  ASSERT_TRUE(nvml);
  EXPECT_EQ(joules_of(*nvml, kPci), 123.456);
  EXPECT_FALSE(joules_of(*nvml, "0000:18:00.0"));
  say("CLOCK", -1);
  say("ENERGY", 5000);
  EXPECT_EQ(joules_of(*nvml, kPci), 5) << "whatever else is refused";
  say("ENERGY", -1);
  EXPECT_FALSE(joules_of(*nvml, kPci));
}

TEST_F(GpuWatching, NoLibraryAndNoSuchDevice) {
  EXPECT_FALSE(open_nvml("libnvidia-ml-that-is-not-there.so"));
  EXPECT_FALSE(open_nvml("libc.so.6")) << "a library without these functions";
  EXPECT_FALSE(read_gpu(*open_nvml(ELASTIC_FAKE_CUDA), "0000:18:00.0"));
  say("INIT", 9);
  EXPECT_FALSE(open_nvml(ELASTIC_FAKE_CUDA)) << "the driver is not loaded";
}

GpuReading reading_at(double mhz, double watts, std::uint64_t reasons, std::uint64_t millijoules) {
  return {.sm_mhz = mhz,
          .sm_mhz_most = 1980,
          .watts = watts,
          .watts_limit = 700,
          .celsius = mhz / 30,
          .held_back_by = reasons,
          .millijoules = millijoules,
          .processes = 1};
}

TEST(GpuConditions, AreThoseOfAllReadings) {
  EXPECT_FALSE(conditions_of({}));
  std::array readings{reading_at(1980, 100, 1, 5000), reading_at(1500, 690, 4, 6000),
                      reading_at(1530, 700, 4, 7250)};
  const auto found = conditions_of(readings);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sm_mhz, 1530);
  EXPECT_EQ(found->sm_mhz_least, 1500);
  EXPECT_EQ(found->sm_mhz_most, 1980);
  EXPECT_EQ(found->watts, 690);
  EXPECT_EQ(found->celsius, 66) << "highest";
  EXPECT_EQ(found->joules, 2.25);
  EXPECT_EQ(found->held_back_by, std::vector<std::string>{"power limit"}) << "idle is no reason";
  EXPECT_TRUE(found->spoiled_by.empty()) << "a card under load reaches its power limit";
}

TEST(GpuConditions, HeatAndOtherProcessesSpoilAMeasurement) {
  std::array readings{reading_at(1980, 100, 0x60, 0), reading_at(1500, 690, 0, 0)};
  readings[1].processes = 3;
  const auto found = conditions_of(readings);
  EXPECT_EQ(found->spoiled_by, (std::vector<std::string>{"the GPU was held back by heat (driver)",
                                                         "the GPU was held back by heat (hardware)",
                                                         "2 other processes computed on the GPU"}));
  readings[1].processes = 2;
  EXPECT_EQ(conditions_of(readings)->spoiled_by.back(), "1 other process computed on the GPU");
}

TEST(GpuConditions, ThereAreNoneOnACpu) {
  GpuWatch watch("cpu");
  EXPECT_FALSE(watch.stop());
  EXPECT_FALSE(watch.stop()) << "twice";
}

}  // namespace
}  // namespace elastic::engine
