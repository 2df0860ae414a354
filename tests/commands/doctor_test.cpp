#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <tuple>

#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string output;
};

Outcome doctor(const std::filesystem::path& data_dir, const char* binary = ELASTIC_BENCH_BINARY,
               const testing::Program::Variables& variables = {}) {
  const testing::ProgramResult result =
      testing::Program(binary, {"doctor", "--data-dir", data_dir.string()}, variables).wait();
  return {result.code, result.out + result.err};
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

#ifdef ELASTIC_FAKE_CUDA
// A copy of the program beside a library that stands for libelastic_cuda.so, with a driver.
TEST(Doctor, SaysWhatTheCudaLibrarySays) {
  const testing::TemporaryFolder folder;
  std::filesystem::copy_file(ELASTIC_BENCH_BINARY, folder / "elastic-bench");
  std::filesystem::copy_file(ELASTIC_FAKE_CUDA, folder / "libcuda.so.1");
  const std::string program = (folder / "elastic-bench").string();
  const auto accelerator = [&](testing::Program::Variables variables) {
    variables.emplace_back("LD_LIBRARY_PATH", folder.path().string());
    const std::string text = doctor(folder / "data", program.c_str(), variables).output;
    const std::size_t begin = text.find("accelerator ");
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_NE(accelerator({}).find("libelastic_cuda.so is not there: it is built where"),
            std::string::npos);
  std::ofstream(folder / "libelastic_cuda.so") << "no library\n";
  EXPECT_NE(accelerator({}).find("setup.sh --cuda installs"), std::string::npos);
  std::filesystem::remove(folder / "libelastic_cuda.so");
  std::filesystem::copy_file(ELASTIC_FAKE_CUDA, folder / "libelastic_cuda.so");
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"FAKE_CUDA_VERSION", "1", "none (libelastic_cuda.so is of another version"},
      {"FAKE_CUDA_DEVICES", "0", "none (the NVIDIA driver shows no GPU to this process)"},
      {"FAKE_CUDA_DEVICES", "-35", "none (CUDA error 35: made up)"},
      {"FAKE_CUDA_DEVICES", "1", "Fake GPU"},
      {"FAKE_CUDA_DEVICES", "70", "Fake GPU"}};
  for (const auto& [variable, value, expected] : rows) {
    const std::string line = accelerator({{variable, value}});
    EXPECT_NE(line.find(expected), std::string::npos) << variable << "=" << value << ": " << line;
  }
}
#endif

}  // namespace
}  // namespace elastic
