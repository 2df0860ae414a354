#pragma once

// Small models and made-up documents for tests of the trainer.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/train/noise.h"
#include "engine/train/objective.h"
#include "engine/train/parameters.h"

namespace elastic::testing {

/// config.json of a small grouped-query model; qwen3 norms q and k.
inline std::string small_config(bool qwen3) {
  return Json{{"architectures", {qwen3 ? "Qwen3ForCausalLM" : "LlamaForCausalLM"}},
              {"vocab_size", 61},
              {"hidden_size", 24},
              {"intermediate_size", 40},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 4},
              {"num_key_value_heads", 2},
              {"head_dim", 8},
              {"max_position_embeddings", 2048},
              {"rms_norm_eps", 1e-5},
              {"rope_theta", 1e4},
              {"tie_word_embeddings", !qwen3},
              {"torch_dtype", "float32"}}
      .dump();
}

inline engine::ModelConfig parse_config(const std::string& text) {
  const Json json = parse_json(text, "small model");
  return engine::parse_model_config({json, "small model"});
}

/// Values in [-size, size), a function of the seed.
inline void fill(at::Tensor& tensor, std::uint64_t seed, double size) {
  at::Tensor flat = tensor.detach().view(-1);
  const engine::PlacedRandom random(seed);
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    flat[i].fill_(size * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1));
  }
}

struct SmallModel {
  engine::DecoderWeights weights;
  std::vector<engine::Parameter> parameters;  // backbone, or routers alone
};

/// The same numbers in any dtype (they start as fp32).
inline SmallModel small_model(bool qwen3, bool routed, at::ScalarType type) {
  SmallModel model;
  model.weights = engine::initial_weights(parse_config(small_config(qwen3)), 7, at::kCPU);
  if (routed) {
    engine::RouterOptions options;
    options.init = engine::RouterInit::kHe;
    engine::add_routers(model.weights, options, 7);
    std::uint64_t seed = 100;
    for (engine::RouterWeights& router : model.weights.routers) {
      fill(router.logits, ++seed, 0.5);  // logits wide enough that heads differ
      fill(router.head_up_bias, ++seed, 0.1);
    }
  }
  for (engine::LayerWeights& layer : model.weights.layers) {
    const auto convert = [&](at::Tensor& t) {
      if (t.defined()) t = t.detach().to(type);
    };
    for (at::Tensor* t : {&layer.input_norm, &layer.post_norm, &layer.qkv, &layer.q_norm,
                          &layer.k_norm, &layer.o, &layer.gate_up, &layer.down}) {
      convert(*t);
    }
  }
  for (at::Tensor* t : {&model.weights.embedding, &model.weights.final_norm}) {
    *t = t->detach().to(type);
  }
  model.weights.lm_head = model.weights.lm_head.detach().to(type);
  for (engine::RouterWeights& r : model.weights.routers) {
    for (at::Tensor* t :
         {&r.task_up, &r.task_up_bias, &r.task_down, &r.task_down_bias, &r.head_up, &r.head_up_bias,
          &r.head_down, &r.head_down_bias, &r.logits, &r.logits_bias}) {
      *t = t->detach().to(type);
    }
  }
  model.parameters = routed ? engine::router_parameters(model.weights)
                            : engine::backbone_parameters(model.weights);
  return model;
}

/// One document of each length, tasks in turn; the last eighth of each is its answer.
inline std::vector<engine::TrainingDocument> made_documents(
    const std::vector<std::int64_t>& lengths, int tasks, std::uint64_t seed) {
  std::vector<engine::TrainingDocument> documents;
  for (std::size_t d = 0; d < lengths.size(); ++d) {
    engine::TrainingDocument document;
    const engine::PlacedRandom random(engine::mix_seed({seed, d}));
    const std::int64_t prompt = lengths[d] - lengths[d] / 8;
    for (std::int64_t t = 0; t < lengths[d]; ++t) {
      document.ids.push_back(
          static_cast<std::int32_t>(61 * random.uniform(static_cast<std::uint64_t>(t))));
      document.is_answer.push_back(t >= prompt ? 1 : 0);
    }
    document.prompt_tokens = prompt;
    document.task = static_cast<int>(d) % tasks;
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace elastic::testing
