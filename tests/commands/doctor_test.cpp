#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/testing/folders.h"

namespace elastic {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string output;
};

Outcome doctor(const std::filesystem::path& data_dir) {
  const std::string command =
      std::string(ELASTIC_BENCH_BINARY) + " doctor --data-dir '" + data_dir.string() + "' 2>&1";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), n);
  }
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

TEST(Doctor, NamesVersionsDevicesAndData) {
  const testing::TemporaryFolder folder;
  const Outcome outcome = doctor(folder.path());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  for (const char* part :
       {"elastic-bench 0.", "nlohmann_json", "memory", "libcrypto", "ruler/squad: absent"}) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << "\n" << outcome.output;
  }
  const bool engine = outcome.output.find("built without LibTorch") == std::string::npos;
  for (const char* part : {"libtorch", "accelerator"}) {
    EXPECT_EQ(outcome.output.find(part) != std::string::npos, engine) << outcome.output;
  }
}

TEST(Doctor, SaysWhatAbsentDataMeans) {
  const testing::TemporaryFolder folder;
  const Outcome outcome = doctor(folder.path());
  for (const char* part : {"ruler/squad: absent (SQuAD 2.0 dev, documents and questions of qa_1)",
                           "no fault: only the profiles that need it stop, with exit code 3"}) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << "\n" << outcome.output;
  }
}

TEST(Doctor, WrongBytesAreAFaultWithItsCure) {
  const testing::TemporaryFolder folder;
  const auto lists = folder / "ruler/wonderwords-3.0.1";
  std::filesystem::create_directories(lists);
  std::ofstream(lists / "nounlist.txt") << "not the list\n";
  const Outcome outcome = doctor(folder.path());
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("other bytes"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("data fetch ruler/wonderwords-3.0.1"), std::string::npos)
      << outcome.output;
}

}  // namespace
}  // namespace elastic
