// What `--model` names.

#include "harness/run/model_path.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

std::string model_fault(const std::string& model, const fs::path& data_dir = {}) {
  try {
    return "found " + model_path(model, data_dir).string();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
}

TEST(ModelPath, FoldersAndFiles) {
  const testing::TemporaryFolder folder;
  const std::string at = folder.path().string();
  testing::write_file(folder / "model/config.json", "{}");
  testing::write_file(folder / "m.gguf", "GGUF");
  testing::write_file(folder / "m.bin", "GGUF");
  EXPECT_EQ(model_fault(at + "/model"), "found " + at + "/model");
  EXPECT_EQ(model_fault(at + "/m.gguf"), "found " + at + "/m.gguf");
  constexpr const char* kCure =
      "; give a checkpoint folder, a .gguf file, ORG/NAME of a downloaded model, demo or smollm2";
  for (const char* name : {"/m.bin", "/other.gguf", "/other"}) {
    EXPECT_EQ(model_fault(at + name),
              "invalid argument: --model " + at + name + ": no such folder or .gguf file" + kCure);
  }
  EXPECT_EQ(model_fault(at), "invalid argument: --model " + at + ": no config.json in " + at +
                                 "; give a Hugging Face checkpoint folder, a .gguf file, demo or "
                                 "smollm2");
  EXPECT_EQ(tokenizer_path(at), folder.path()) << "tokenizers need no config";
  EXPECT_EQ(model_fault(""),
            "invalid argument: --model is missing; give a checkpoint folder, a "
            ".gguf file, demo or smollm2");
}

TEST(ModelPath, ModelsByName) {
  EXPECT_EQ(model_path("demo").filename(), "demo");
  const testing::TemporaryFolder data;
  const std::string missing = model_fault("smollm2", data.path());
  EXPECT_NE(missing.find("not found: --model smollm2: data missing"), std::string::npos) << missing;
  EXPECT_NE(missing.find("`elastic-bench data fetch smollm2`"), std::string::npos) << missing;
  const std::string file = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  testing::write_file(data / file, "GGUF");
  EXPECT_EQ(model_path("smollm2", data.path()), data / file);
  EXPECT_EQ(tokenizer_path("smollm2", data.path()), data / file);
}

}  // namespace
}  // namespace elastic::harness
