#pragma once

// A model of a few thousand parameters, a file of made-up documents to train it on, and the
// configurations for both kinds of training.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic::testing {

namespace fs = std::filesystem;

class SmallTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kHasEngine) GTEST_SKIP() << kNoEngine;
    std::string lines;
    for (int i = 0; i < 40; ++i) {
      std::string text;
      for (int w = 0; w < 120 + i; ++w) text += " word" + std::to_string((i * 7 + w * w) % 90);
      lines += dump_line({{"context", text},
                          {"question", "Which word comes first?"},
                          {"answer", "word" + std::to_string(i * 7 % 90)},
                          {"task", i % 2 == 0 ? "Single QA" : "Code"}}) +
               "\n";
    }
    write_file_atomic(path("documents.jsonl"), lines);
    write_config("backbone.json", backbone());
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }

  void write_config(std::string_view name, const Json& config) const {
    write_file_atomic(path(name), dump_pretty(config));
  }

  Json common() const {
    const std::string tokenizer = (source_folder() / "models/demo").string();
    return {
        {"tokenizer", tokenizer},
        {"steps", 6},
        {"log_every", 1},
        {"checkpoint_every", 2},
        {"feed_threads", 1},
        {"data",
         {{"kind", "files"}, {"files", {path("documents.jsonl")}}, {"tokens_per_batch", 2048}}}};
  }
  Json backbone() const {
    Json config = common();
    config["model"] = {{"architectures", {"LlamaForCausalLM"}},
                       {"vocab_size", 6144},
                       {"hidden_size", 16},
                       {"intermediate_size", 16},
                       {"num_hidden_layers", 1},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"head_dim", 8},
                       {"max_position_embeddings", 4096},
                       {"tie_word_embeddings", true},
                       {"torch_dtype", "bfloat16"}};
    return config;
  }
  Json router() const {
    Json config = common();
    config.erase("tokenizer");
    config["base"] = path("base");
    config["router"] = {{"local", 128}};
    return config;
  }

  ProgramResult train(const std::string& part, const std::string& config, const std::string& output,
                      const std::vector<std::string>& more = {}, std::size_t file_limit = 0) const {
    std::vector<std::string> arguments{"train",    part,         "--config", path(config),
                                       "--output", path(output), "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}, file_limit).wait();
  }

  std::string curves(const std::string& output) const {
    return read_file(folder_ / output / "curves.csv");
  }

  TemporaryFolder folder_;
};

}  // namespace elastic::testing
