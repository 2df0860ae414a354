#include "base/python_random.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(PythonRandom(0).wide_bits(65).size(), 3U);
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

TEST(python_random, too_large_or_negative_samples_are_errors) {
  PythonRandom random(1);
  EXPECT_THROW(random.sample(3, 4), Error);
  EXPECT_THROW(random.sample(3, -1), Error);
}

TEST(numpy_random, masked_rejection) {
  NumpyRandom random(0);
  EXPECT_EQ(random.randint(10000, 99999), 78268);
  EXPECT_EQ(random.randint(10000, 99999), 53567);
  EXPECT_EQ(NumpyRandom(0).bits(), 2357136044U);
  EXPECT_EQ(random.randint(7, 8), 7);  // a range of one draws nothing
}

}  // namespace
}  // namespace elastic
