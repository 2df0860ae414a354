#include "engine/io/checkpoint.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "engine/api/make_generator.h"
#include "engine/api/tensor_file.h"
#include "engine/io/safetensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using elastic::testing::fixture;
using elastic::testing::TemporaryFolder;

void copy_model(const std::string& name, const fs::path& target) {
  fs::copy(fixture(name), target,
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  for (const auto& entry : fs::directory_iterator(target)) {
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
  }
}

std::vector<NamedTensor> tensors_of(const fs::path& file) {
  std::vector<NamedTensor> tensors;
  const SafetensorsFile stored(file);
  for (const TensorView& view : stored.tensors()) {
    tensors.push_back({view.name, view.shape, float_values(view)});
  }
  return tensors;
}

struct Broken {
  const char* what;
  const char* model;
  std::function<void(const fs::path&)> change;
  const char* words;
};

void change_json(const fs::path& path, const std::function<void(Json&)>& change) {
  Json json = read_json(path);
  change(json);
  write_file_atomic(path, json.dump());
}

void change_tensors(const fs::path& folder,
                    const std::function<void(std::vector<NamedTensor>&)>& change) {
  std::vector<NamedTensor> tensors = tensors_of(folder / "model.safetensors");
  change(tensors);
  write_tensors(folder / "model.safetensors", tensors);
}

void rename_tensor(std::vector<NamedTensor>& tensors, const std::string& from,
                   const std::string& to) {
  for (NamedTensor& tensor : tensors) {
    if (tensor.name == from) tensor.name = to;
  }
}

const std::vector<Broken>& broken_folders() {
  constexpr const char* kIndex = "model.safetensors.index.json";
  constexpr const char* kShards = "models/llama_llama3_shards";
  constexpr const char* kPlain = "models/llama_linear_bias";
  constexpr const char* kRouted = "routed/paw_llama_small";
  static const std::vector<Broken> rows = {
      {"no weights", kPlain, [](const fs::path& f) { fs::remove(f / "model.safetensors"); },
       "no *.safetensors"},
      {"weights cut", kPlain,
       [](const fs::path& f) { fs::resize_file(f / "model.safetensors", 4000); },
       "model.safetensors"},
      {"shard missing", kShards,
       [](const fs::path& f) { fs::remove(f / "model-00002-of-00005.safetensors"); },
       "model-00002-of-00005.safetensors"},
      {"index names a file elsewhere", kShards,
       [=](const fs::path& f) {
         change_json(f / kIndex,
                     [](Json& j) { j["weight_map"]["model.norm.weight"] = "../x.safetensors"; });
       },
       "not a plain file name"},
      {"index without map", kShards,
       [=](const fs::path& f) { change_json(f / kIndex, [](Json& j) { j.erase("weight_map"); }); },
       "weight_map"},
      {"index names a number", kShards,
       [=](const fs::path& f) {
         change_json(f / kIndex, [](Json& j) { j["weight_map"]["model.norm.weight"] = 3; });
       },
       "no file name"},
      {"index names a tensor that is not there", kShards,
       [=](const fs::path& f) {
         change_json(f / kIndex, [](Json& j) {
           j["weight_map"]["extra"] = "model-00001-of-00005.safetensors";
         });
       },
       "`extra`"},
      {"index is no JSON", kShards, [=](const fs::path& f) { write_file_atomic(f / kIndex, "{"); },
       "model.safetensors.index.json"},
      {"vocabulary other than the embedding", kPlain,
       [](const fs::path& f) {
         change_json(f / "config.json", [](Json& j) { j["vocab_size"] = 97; });
       },
       "model.embed_tokens.weight"},
      {"more layers than tensors", kPlain,
       [](const fs::path& f) {
         change_json(f / "config.json", [](Json& j) { j["num_hidden_layers"] = 3; });
       },
       "model.layers.2."},
      {"fewer layers than tensors", kPlain,
       [](const fs::path& f) {
         change_json(f / "config.json", [](Json& j) { j["num_hidden_layers"] = 1; });
       },
       "tensor `model.layers.1."},
      {"a key of the config twice", kPlain,
       [](const fs::path& f) {
         const std::string text = read_file(f / "config.json");
         write_file_atomic(f / "config.json",
                           "{\"num_hidden_layers\": 1," + text.substr(text.find('{') + 1));
       },
       "key `num_hidden_layers` stands twice"},
      {"heads other than the projections", kPlain,
       [](const fs::path& f) {
         change_json(f / "config.json", [](Json& j) { j["num_key_value_heads"] = 3; });
       },
       "k_proj.weight"},
      {"no output head", kPlain,
       [](const fs::path& f) {
         change_tensors(f, [](auto& t) { rename_tensor(t, "lm_head.weight", "head.weight"); });
       },
       "lm_head.weight"},
      {"bias missing", kPlain,
       [](const fs::path& f) {
         change_tensors(f, [](auto& t) {
           rename_tensor(t, "model.layers.1.mlp.up_proj.bias", "model.layers.1.mlp.up_proj.b");
         });
       },
       "model.layers.1.mlp.up_proj.bias"},
      {"router of one layer missing", kRouted,
       [](const fs::path& f) {
         change_tensors(f, [](auto& t) {
           rename_tensor(t, "model.layers.2.self_attn.mask_allocator.cls_feat_extractor.0.weight",
                         "gone");
         });
       },
       "model.layers.2.self_attn.mask_allocator.cls_feat_extractor.0.weight"},
      {"router of another head size", kRouted,
       [](const fs::path& f) {
         change_tensors(f, [](auto& tensors) {
           for (NamedTensor& t : tensors) {
             if (t.name != "model.layers.1.self_attn.mask_allocator.cls_feat_extractor.0.weight")
               continue;
             std::swap(t.shape[0], t.shape[1]);
           }
         });
       },
       "cls_feat_extractor"},
      {"router pooled otherwise", kRouted,
       [](const fs::path& f) {
         change_json(f / "config.json", [](Json& j) { j["pooling_mode"] = "first_token"; });
       },
       "first_token"},
  };
  return rows;
}

TEST(Checkpoint, BrokenFoldersAreNamedErrors) {
  for (const Broken& row : broken_folders()) {
    SCOPED_TRACE(row.what);
    const TemporaryFolder folder;
    copy_model(row.model, folder.path());
    row.change(folder.path());
    GeneratorOptions options;
    options.model = folder.path();
    options.device = "cpu";
    try {
      make_generator(options);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find(row.words), std::string::npos) << text;
      EXPECT_NE(text.find(folder.path().string()), std::string::npos) << text;
    }
  }
}

TEST(Checkpoint, TensorsThatNothingReadsAreSaid) {
  const TemporaryFolder folder;
  copy_model("models/llama_linear_bias", folder.path());
  const auto said = [&] {
    ::testing::internal::CaptureStderr();
    make_generator({.model = folder.path(), .device = "cpu"});
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said().find("does not read"), std::string::npos);
  change_tensors(folder.path(), [](auto& tensors) {
    tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {1}, {0}});
    tensors.push_back({"model.extra.weight", {2}, {1, 2}});
  });
  EXPECT_NE(said().find("1 tensor(s) that the model does not read: `model.extra.weight`"),
            std::string::npos);
}

TEST(Checkpoint, ShardsWithoutIndexAreFound) {
  const TemporaryFolder folder;
  copy_model("models/llama_llama3_shards", folder.path());
  const Checkpoint indexed(folder.path());
  fs::remove(folder / "model.safetensors.index.json");
  const Checkpoint plain(folder.path());
  EXPECT_EQ(plain.files().size(), 5u);
  EXPECT_EQ(plain.sha256(), indexed.sha256());
  fs::copy(folder / "model-00001-of-00005.safetensors", folder / "copy.safetensors");
  EXPECT_THROW(Checkpoint{folder.path()}, Error);  // the same tensors twice
}

TEST(Checkpoint, LoadChecksShapeAndType) {
  const Checkpoint checkpoint(fixture("models/llama_linear_bias"));
  const at::Tensor norm = checkpoint.load("model.norm.weight", {48}, at::kFloat, at::kCPU);
  EXPECT_EQ(norm.scalar_type(), at::kFloat);
  EXPECT_THROW(checkpoint.load("model.norm.weight", {47}, at::kFloat, at::kCPU), Error);
  EXPECT_THROW(checkpoint.load("model.norm", {48}, at::kFloat, at::kCPU), Error);
}

std::string checkpoint_fault(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "no error";
}

TEST(Checkpoint, WhatIsMissingIsSaidExactly) {
  const TemporaryFolder folder;
  const std::string at = folder.path().string();
  EXPECT_EQ(checkpoint_fault([&] { Checkpoint{folder / "none"}; }),
            "not found: " + at + "/none: no such model folder");
  EXPECT_EQ(checkpoint_fault([&] { Checkpoint{folder.path()}; }),
            "not found: " + at + ": no *.safetensors file; convert other weight formats first");
  write_tensors(folder / "b.safetensors", std::vector<NamedTensor>{{"b", {2, 1}, {1, 2}}});
  const auto no_tensor = [&] { Checkpoint(folder.path()).shape("x"); };
  EXPECT_EQ(checkpoint_fault(no_tensor), "corrupt: " + at + ": no tensor `x` in b.safetensors");
  write_tensors(folder / "a.safetensors",
                std::vector<NamedTensor>{{"c", {1}, {3}}, {"a", {1}, {4}}});
  write_file_atomic(folder / "notes.txt", "no weights");
  EXPECT_EQ(checkpoint_fault(no_tensor), "corrupt: " + at + ": no tensor `x` in 2 shards");
  const Checkpoint both(folder.path());
  EXPECT_EQ(both.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(both.files(),
            (std::vector<fs::path>{folder / "a.safetensors", folder / "b.safetensors"}));
  EXPECT_TRUE(both.contains("c") && !both.contains("d"));
  EXPECT_EQ(both.sha256(),
            sha256_hex(read_file(folder / "a.safetensors") + read_file(folder / "b.safetensors")));
  EXPECT_EQ(
      checkpoint_fault([&] { both.load("b", {2}, at::kFloat, at::kCPU); }),
      "corrupt: " + at + "/b.safetensors: tensor `b` has shape [2, 1], config.json asks for [2]");
  write_tensors(folder / "c.safetensors", std::vector<NamedTensor>{{"b", {1}, {5}}});
  EXPECT_EQ(checkpoint_fault([&] { Checkpoint{folder.path()}; }),
            "corrupt: " + at + "/c.safetensors: tensor `b` is also in " + at + "/b.safetensors");
}

TEST(Checkpoint, AnIndexAndItsShardsAgree) {
  const TemporaryFolder folder;
  const fs::path index = folder / "model.safetensors.index.json";
  write_tensors(folder / "x.safetensors", std::vector<NamedTensor>{{"a", {1}, {1}}});
  write_tensors(folder / "y.safetensors", std::vector<NamedTensor>{{"b", {1}, {2}}});
  const auto indexed = [&](const char* map) {
    write_file_atomic(index, R"({"weight_map": )" + std::string(map) + "}");
    return checkpoint_fault([&] { Checkpoint{folder.path()}; });
  };
  const std::string at = "corrupt: " + index.string() + ": tensor ";
  EXPECT_EQ(indexed(R"({"a": "x.safetensors", "b": "y.safetensors"})"), "no error");
  EXPECT_EQ(indexed(R"({"a": "y.safetensors", "b": "x.safetensors"})"),
            at + "`a` is not in shard `y.safetensors`");
  EXPECT_EQ(indexed(R"({"a": "x.safetensors", "c": "x.safetensors"})"),
            at + "`c` is not in shard `x.safetensors`");
  EXPECT_EQ(
      indexed(R"({"a": "z.safetensors"})"),
      "not found: " + index.string() + ": names shard `z.safetensors`, which is not in the folder");
  write_tensors(folder / "model.safetensors", std::vector<NamedTensor>{{"only", {1}, {1}}});
  EXPECT_EQ(Checkpoint(folder.path()).names(), std::vector<std::string>{"only"})
      << "one whole file wins";
}

// Values that lie on their type's grid are used where they are, others are copied.
TEST(Checkpoint, OnlyTensorsThatLieAskewAreCopied) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1.5F, -2, 3};
  const std::vector<std::int64_t> whole = {7};
  const std::uint8_t byte = 9;
  const auto bytes = [](const auto& v) {
    return std::span(reinterpret_cast<const std::uint8_t*>(v.data()), v.size() * sizeof(v[0]));
  };
  const TensorView views[] = {{"even", TensorType::kF32, {3}, bytes(values)},
                              {"whole", TensorType::kI64, {1}, bytes(whole)},
                              {"byte", TensorType::kU8, {1}, {&byte, 1}},
                              {"askew", TensorType::kF32, {3}, bytes(values)}};
  write_safetensors(folder / "model.safetensors", views);
  const Checkpoint checkpoint(folder.path());
  for (const char* name : {"even", "askew"}) {
    const at::Tensor tensor = checkpoint.load(name, {3}, at::kFloat, at::kCPU);
    const at::Tensor again = checkpoint.load(name, {3}, at::kFloat, at::kCPU);
    EXPECT_EQ(tensor.data_ptr() == again.data_ptr(), name[0] == 'e') << name;  // the mapped bytes
    const float* loaded = tensor.const_data_ptr<float>();
    EXPECT_EQ(std::vector<float>(loaded, loaded + 3), values) << name;
  }
  EXPECT_EQ(checkpoint_fault([&] { checkpoint.load("whole", {1}, at::kFloat, at::kCPU); }),
            "unsupported: " + (folder / "model.safetensors").string() +
                ": tensor `whole` is I64; weights must be F32, F16 or BF16");
}

TEST(Checkpoint, TheHashIsOfAllBytes) {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> bytes((std::size_t{1} << 24) + 1000, 5);
  const TensorView view{
      "w", TensorType::kU8, {static_cast<std::int64_t>(bytes.size())}, std::span(bytes)};
  write_safetensors(folder / "model.safetensors", std::span(&view, 1));
  const Checkpoint checkpoint(folder.path());
  EXPECT_EQ(checkpoint.sha256(), sha256_file(folder / "model.safetensors"));
  const InterruptGuard guard("");
  std::raise(SIGINT);
  EXPECT_THROW(checkpoint.sha256(), Interrupted);
}

}  // namespace
}  // namespace elastic::engine
