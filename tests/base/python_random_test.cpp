#include "base/python_random.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"

namespace elastic {
namespace {

// Expected values: CPython 3.11 and NumPy 1.26 (any version gives the same).
TEST(python_random, doubles_and_bits) {
  EXPECT_EQ(PythonRandom(0).random(), 0x1.b0580f98a7dbep-1);
  EXPECT_EQ(PythonRandom(42).random(), 0.6394267984578837);
  EXPECT_EQ(PythonRandom(0).bits(33), 3626764237ULL);
}

TEST(python_random, a_seed_of_two_words) {
  EXPECT_EQ(PythonRandom(4294967296ULL).random(), 0x1.ced31cb3df170p-4);
}

TEST(python_random, choices_uuid_shuffle) {
  EXPECT_EQ(PythonRandom(0).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 5), "VTKGN");
  EXPECT_EQ(PythonRandom(0).uuid4(), "e3e70682-c209-4cac-a29f-6fbed82c07cd");
  std::vector<int> items{0, 1, 2, 3, 4, 5, 6, 7};
  PythonRandom(0).shuffle(items);
  EXPECT_EQ(items, (std::vector<int>{4, 1, 5, 2, 0, 3, 7, 6}));
}

TEST(python_random, sample_switches_from_pool_to_set) {
  PythonRandom random(0);
  EXPECT_EQ(random.sample(1, 1), (std::vector<std::size_t>{0}));
  EXPECT_EQ(random.sample(4, 1), (std::vector<std::size_t>{3}));
  EXPECT_EQ(random.sample(4, 4), (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(random.sample(5, 5), (std::vector<std::size_t>{2, 3, 1, 0, 4}));
  EXPECT_EQ(random.sample(21, 1), (std::vector<std::size_t>{9}));
  EXPECT_EQ(random.sample(22, 1), (std::vector<std::size_t>{4}));
  EXPECT_TRUE(random.sample(3, 0).empty());
}

TEST(python_random, sample_at_the_bounds_of_its_pool) {
  const auto sample = [](std::size_t population, std::int64_t count) {
    return PythonRandom(7).sample(population, count);
  };
  EXPECT_EQ(sample(21, 5), (std::vector<std::size_t>{10, 4, 12, 1, 2}));
  EXPECT_EQ(sample(22, 5), (std::vector<std::size_t>{10, 4, 12, 20, 1}));
  EXPECT_EQ(sample(85, 6), (std::vector<std::size_t>{41, 19, 50, 6, 9, 68}));
  EXPECT_EQ(sample(86, 6), (std::vector<std::size_t>{41, 19, 50, 83, 6, 9}));
  EXPECT_EQ(sample(277, 22)[5], 48U);
  EXPECT_EQ(sample(278, 22)[5], 274U);
}

TEST(python_random, streams_go_on_behind_the_first_state) {
  PythonRandom random(7);
  for (int i = 0; i < 1000; ++i) random.bits(32);
  EXPECT_EQ(random.bits(32), 3192093819U);
}

TEST(python_random, seeds_of_many_words) {
  const auto seeded = [](std::uint32_t words) {
    std::vector<std::uint32_t> seed;
    for (std::uint32_t i = 0; i < words; ++i) seed.push_back(i * 2654435761U + 1);
    return PythonRandom(seed);
  };
  PythonRandom few = seeded(3), many = seeded(700);
  EXPECT_EQ(few.bits(32), 221754091U);
  EXPECT_EQ(few.random(), 0x1.5d17dc832c192p-2);
  EXPECT_EQ(many.bits(32), 285450211U);
  EXPECT_EQ(many.random(), 0x1.3757b1933e560p-1);
}

TEST(python_random, bits_of_every_width) {
  PythonRandom random(7);
  EXPECT_EQ(random.bits(1), 0U);
  EXPECT_EQ(random.bits(31), 2035525362U);
  EXPECT_EQ(random.bits(32), 647892279U);
  EXPECT_EQ(random.bits(64), 12007621696699967246U);
  PythonRandom below(7);
  std::vector<std::uint64_t> drawn;
  for (const std::uint64_t bound : {8, 8, 8, 8, 8, 8, 1, 1}) drawn.push_back(below.below(bound));
  EXPECT_EQ(drawn, (std::vector<std::uint64_t>{5, 2, 6, 0, 1, 1, 0, 0}));
  EXPECT_EQ(below.below(std::uint64_t{1} << 32), 922121676U);
  EXPECT_EQ(below.below((std::uint64_t{1} << 32) + 1), 369140570U);
}

TEST(python_random, too_large_or_negative_samples_are_errors) {
  PythonRandom random(1);
  EXPECT_THROW(random.sample(3, 4), Error);
  EXPECT_THROW(random.sample(3, -1), Error);
  EXPECT_EQ(random.sample(3, 3).size(), 3U);
  EXPECT_TRUE(random.sample(0, 0).empty());
}

TEST(python_random, what_cannot_be_drawn_is_a_fault_of_the_caller) {
  PythonRandom random(1);
  for (const int count : {-1, 0, 65}) EXPECT_THROW(random.bits(count), std::logic_error) << count;
  EXPECT_THROW(random.below(0), std::logic_error);
  EXPECT_THROW(PythonRandom(std::vector<std::uint32_t>()), std::logic_error);
  NumpyRandom numpy(1);
  EXPECT_THROW(numpy.randint(3, 3), std::logic_error);
  EXPECT_THROW(numpy.randint(4, 3), std::logic_error);
  EXPECT_THROW(numpy.randint(0, (std::int64_t{1} << 32) + 1), std::logic_error);
}

TEST(numpy_random, masked_rejection) {
  NumpyRandom random(0);
  EXPECT_EQ(random.randint(10000, 99999), 78268);
  EXPECT_EQ(random.randint(10000, 99999), 53567);
  EXPECT_EQ(NumpyRandom(0).bits(), 2357136044U);
  EXPECT_EQ(random.randint(7, 8), 7);  // a range of one draws nothing
  NumpyRandom small(3);
  std::vector<std::int64_t> drawn;
  for (int i = 0; i < 12; ++i) drawn.push_back(small.randint(-2, 3));  // NOLINT: few
  EXPECT_EQ(drawn, (std::vector<std::int64_t>{0, -2, -1, 1, -2, -2, -2, 1, 0, 1, -1, -1}));
  EXPECT_EQ(small.randint(0, std::int64_t{1} << 32), 890101386);
}

}  // namespace
}  // namespace elastic
