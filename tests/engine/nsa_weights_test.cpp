// NSA's tensors in checkpoints: what is loaded is what the mode runs, and what is refused.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/device/stage_clock.h"
#include "engine/generate/torch_generator.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/model_copy.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::fixture;
using elastic::testing::ModelCopy;

// 3 layers, 6 query heads and 3 KV heads of 8, hidden 48.
constexpr const char* kModel = "routed/paw_llama_small";
constexpr std::int64_t kWindow = 8;  // tokens that are compressed to one
const std::string kSizes = "stride=4,block=8,topk=3,init=1,local=1,window=8";

std::vector<NsaWeights> some_weights(const std::string& compress) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(11);
  std::vector<NsaWeights> layers;
  for (int layer = 0; layer < 3; ++layer) {
    NsaWeights w{.gate = at::randn({18, 48})};
    if (compress == "linear") {
      w.keys = at::randn({3, kWindow * 8, 8}).mul(0.1);
      w.values = at::randn({3, kWindow * 8, 8}).mul(0.1);
    } else if (compress == "weightedpool") {
      w.keys = at::randn({3, kWindow}).mul(0.3);
      w.values = at::randn({3, kWindow}).mul(0.3);
    }
    if (compress != "weightedpool") w.position = at::randn({3, kWindow, 8});
    layers.push_back(std::move(w));
  }
  return layers;
}

std::vector<NamedTensor> named(const std::vector<NsaWeights>& layers, const std::string& gate) {
  std::vector<NamedTensor> tensors;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const NsaWeights& w = layers[layer];
    const std::string prefix = "model.layers." + std::to_string(layer) + ".self_attn.";
    for (const auto& [name, tensor] : {std::pair(gate, &w.gate),
                                       {"nsa.compress_key", &w.keys},
                                       {"nsa.compress_value", &w.values},
                                       {"nsa.intra_block_pe", &w.position}}) {
      if (!tensor->defined()) continue;
      const float* values = tensor->const_data_ptr<float>();
      tensors.push_back({prefix + name, tensor->sizes().vec(), {values, values + tensor->numel()}});
    }
  }
  return tensors;
}

struct NsaModel : ModelCopy {
  explicit NsaModel(const std::vector<NsaWeights>& layers,
                    const std::string& gate = "nsa.gate.weight")
      : ModelCopy(kModel) {
    tensors([&](std::vector<NamedTensor>& list) {
      for (NamedTensor& tensor : named(layers, gate)) list.push_back(std::move(tensor));
    });
  }
  // Changes the tensor whose name ends so, of every layer.
  void change(const std::string& end, const std::function<void(NamedTensor&)>& how) const {
    tensors([&](std::vector<NamedTensor>& list) {
      for (NamedTensor& tensor : list) {
        if (tensor.name.ends_with(end)) how(tensor);
      }
    });
  }
};

std::vector<std::int32_t> prompt() { return elastic::testing::some_ids(90, 7); }

std::vector<float> logits_of(const std::filesystem::path& model, const std::string& mode,
                             std::string* described = nullptr) {
  const auto generator = cpu_generator(model);
  generator->set_mode(mode);
  if (described != nullptr) *described = generator->mode();
  Request request = elastic::testing::request_of(prompt(), 1);
  request.all_logits = true;
  return elastic::testing::tensor_named(generator->generate(request), "logits").values;
}

// The same with tensors given to the plan, over the checkpoint that has none.
std::vector<float> logits_by_hand(const std::vector<NsaWeights>& layers) {
  const c10::InferenceMode no_gradients;
  Decoder decoder(elastic::testing::load_from(fixture(kModel)), 0);
  PlanContext context = plan_context(decoder.config());
  context.nsa = layers;
  const AttentionPlan plan = make_attention_plan("nsa:" + kSizes, context);
  Sequence sequence = decoder.start(100);
  StageClock clock(at::kCPU);
  const at::Tensor logits = decoder.logits(decoder.prefill(sequence, prompt(), plan, clock));
  const at::Tensor flat = logits.contiguous().view(-1);
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst;
}

TEST(NsaWeights, OfACheckpointAreThoseOfTheMode) {
  const std::vector<float> untrained = logits_of(fixture(kModel), "nsa:kernel=8," + kSizes);
  for (const std::string compress : {"linear", "weightedpool", "avgpool"}) {
    SCOPED_TRACE(compress);
    const std::vector<NsaWeights> layers = some_weights(compress);
    const NsaModel model(layers);
    EXPECT_EQ(model.said(), ModelCopy(kModel).said()) << "all of them are read";
    std::string mode;
    const std::vector<float> loaded = logits_of(model.path, "nsa:" + kSizes, &mode);
    EXPECT_EQ(mode, "nsa:compress=" + compress + ",kernel=8," + kSizes + ",weights=trained");
    EXPECT_LT(largest_difference(loaded, logits_by_hand(layers)), 1e-5);
    EXPECT_GT(largest_difference(loaded, untrained), 1e-2);
    EXPECT_LT(largest_difference(logits_of(model.path,
                                           "nsa:weights=untrained,compress=avgpool,"
                                           "kernel=8," +
                                               kSizes),
                                 untrained),
              1e-5);
  }
}

TEST(NsaWeights, MayHaveOtherNames) {
  const std::vector<NsaWeights> layers = some_weights("linear");
  const NsaModel model(layers, "g_proj.weight");
  model.config([](Json& json) { json["nsa_tensors"]["gate"] = "self_attn.g_proj.weight"; });
  EXPECT_LT(largest_difference(logits_of(model.path, "nsa:" + kSizes), logits_by_hand(layers)),
            1e-5);
}

std::string refusal(const std::filesystem::path& model, ErrorKind kind, const std::string& mode) {
  try {
    check_modes(model, {}, {mode});
    cpu_generator(model)->set_mode(mode);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(NsaWeights, AreCountedAndHeldAgainstTheOptions) {
  const NsaModel model(some_weights("linear"));
  const std::int64_t each = std::int64_t{18} * 48 + kWindow * 2 * 3 * 8 * 8 + kWindow * 3 * 8;
  EXPECT_EQ(cpu_generator(model.path)->model().parameters,
            cpu_generator(fixture(kModel))->model().parameters + 3 * each);
  EXPECT_NO_THROW(check_modes(model.path, {}, {"nsa:weights=trained,stride=4", "nsa"}));
  EXPECT_EQ(refusal(model.path, ErrorKind::kInvalidArgument, "nsa:kernel=16"),
            "mode `nsa:kernel=16`: kernel=16, but the NSA tensors compress 8 tokens; leave kernel "
            "out");
  EXPECT_EQ(refusal(fixture(kModel), ErrorKind::kUnsupported, "nsa:weights=trained"),
            "mode `nsa:weights=trained`: weights=trained needs a checkpoint with NSA's tensors "
            "(docs/methods.md, nsa), and this one has none; weights=untrained has neutral gates");
}

TEST(NsaWeights, OfOtherShapesAreRefused) {
  const auto said = [](const NsaModel& model) {
    std::string text = refusal(model.path, ErrorKind::kCorrupt, "nsa");
    return text.replace(text.find(model.path), model.path.size(), "@");
  };
  const NsaModel wide(some_weights("linear"));
  wide.change("compress_value", [](NamedTensor& t) { t.shape = {3, 8, 64}; });
  EXPECT_EQ(said(wide),
            "@/model.safetensors: tensor `model.layers.0.self_attn.nsa.compress_value` has shape "
            "[3, 8, 64], config.json asks for [3, 64, 8]");
  const NsaModel flat(some_weights("weightedpool"));
  flat.change("compress_key", [](NamedTensor& t) { t.shape = {24}; });
  EXPECT_NE(said(flat).find("has shape [24], config.json asks for [3, 1]"), std::string::npos);
  const NsaModel gateless(some_weights("linear"));
  gateless.change("1.self_attn.nsa.gate.weight", [](NamedTensor& t) { t.name = "other"; });
  EXPECT_EQ(said(gateless),
            "@: there are tensors of NSA, but no `model.layers.1.self_attn.nsa.gate.weight` [18, "
            "48]; add it, or say in `nsa_tensors` of config.json what it is called");
  const NsaModel named(some_weights("linear"));
  named.config([](Json& json) { json["nsa_tensors"]["gates"] = "x"; });
  EXPECT_EQ(said(named),
            "@/config.json: `nsa_tensors` holds `gates`; known: gate, compress_key, "
            "compress_value, intra_block_pe");
}

}  // namespace
}  // namespace elastic::engine
