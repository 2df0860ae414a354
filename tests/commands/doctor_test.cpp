#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <tuple>

#include "base/text.h"

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

TEST(Doctor, SaysWhichLauncherStartedIt) {
  const testing::TemporaryFolder folder;
  const Outcome mpirun = doctor(folder.path(), ELASTIC_BENCH_BINARY,
                                {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}});
  EXPECT_NE(mpirun.output.find("mpirun (Open MPI): rank 1 of 2"), std::string::npos)
      << mpirun.output;
  const Outcome wrong = doctor(folder.path(), ELASTIC_BENCH_BINARY, {{"WORLD_SIZE", "x"}});
  EXPECT_NE(wrong.output.find("WORLD_SIZE=x is not a number"), std::string::npos) << wrong.output;
}

// The bytes of an entry of /proc/meminfo.
std::int64_t memory_of(std::string_view entry) {
  std::ifstream in("/proc/meminfo");
  std::string name, unit;
  for (std::int64_t kib = 0; in >> name >> kib; std::getline(in, unit)) {
    if (name == entry) return kib << 10;
  }
  return 0;
}

TEST(Doctor, SaysTheVersionsAndTheMemoryOfThisMachine) {
  const testing::TemporaryFolder folder;
  const Outcome outcome = doctor(folder.path());
  const std::string versions = fmt::format(
      "header libraries  fmt {}.{}.{}, nlohmann_json {}.{}.{}, CLI11 ", FMT_VERSION / 10000,
      FMT_VERSION / 100 % 100, FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR,
      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  const std::string compiler =
      fmt::format("compiler          {} (C++ {})", __VERSION__, __cplusplus);
  const std::string threads = fmt::format(", {} threads\n", std::thread::hardware_concurrency());
  const std::string total = fmt::format(" free of {}\n", format_bytes(memory_of("MemTotal:")));
  for (const std::string& part : {versions, compiler, threads, total}) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << "\n" << outcome.output;
  }
  const std::size_t at = outcome.output.find("\nmemory            ") + 19;
  const double free = parse_double(split(outcome.output.substr(at), ' ')[0]).value();
  EXPECT_NEAR(free, static_cast<double>(memory_of("MemAvailable:")) / (1 << 30), 4)
      << outcome.output;
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
  EXPECT_NE(accelerator({}).find("libelastic_cuda.so is not there: run scripts/setup.sh --cuda"),
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
