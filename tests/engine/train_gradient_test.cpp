// Gradients of backbone, routers and multipliers beside the same objective written with dense masks
// and LibTorch's own autograd in double precision.

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/model/rotary.h"
#include "engine/router/pooling.h"
#include "engine/router/router.h"
#include "tests/engine/modes.h"
#include "tests/engine/relative_error.h"
#include "tests/engine/train_model.h"
#include "tests/engine/visibility.h"

namespace elastic::engine {
namespace {

using namespace elastic::testing;

// The mode of sparse heads, and what it lets rows see by the specification alone.
struct SparseSide {
  const char* mode;
  Visibility (*visible)(const AttentionInput& input);
};

constexpr SparseSide kStreaming{"ssa:sink=100,local=128", [](const AttentionInput&) {
                                  return streaming_visibility(100, 128, kMaskBlock);
                                }};
constexpr SparseSide kXattention{"xa:stride=16,tau=0.5", [](const AttentionInput& input) {
                                   return xattention_visibility(input, {16, 128, {0.5}});
                                 }};

// 0 where the rows of a head see the key, -inf elsewhere: [heads, tokens, tokens].
at::Tensor bias_of(const Visibility& visible, std::int64_t heads, std::int64_t tokens) {
  at::Tensor bias = at::zeros({heads, tokens, tokens}, at::TensorOptions(at::kDouble));
  auto* values = bias.data_ptr<double>();
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t p = 0; p < tokens; ++p) {
      for (std::int64_t j = 0; j < tokens; ++j, ++values) {
        if (j > p || !visible(h, p, j)) *values = -std::numeric_limits<double>::infinity();
      }
    }
  }
  return bias;
}

at::Tensor norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x / (x * x).mean({-1}, true).add(eps).sqrt() * weight;
}

at::Tensor rotate(const at::Tensor& x, const RopeConfig& rope) {  // [tokens, heads, d]
  const std::int64_t tokens = x.size(0), half = x.size(2) / 2;
  const at::Tensor angles = at::outer(at::arange(tokens, at::TensorOptions(at::kFloat)),
                                      rope_frequencies(rope, 2 * half));
  const at::Tensor cos = at::cos(angles).to(at::kDouble).unsqueeze(1);
  const at::Tensor sin = at::sin(angles).to(at::kDouble).unsqueeze(1);
  const at::Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * cos - b * sin, b * cos + a * sin}, 2);
}

// q [tokens, heads_q, d] over k, v [tokens, heads_kv, d].
at::Tensor dense(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const at::Tensor& bias) {
  const std::int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor values = v.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor scores = at::matmul(q.transpose(0, 1), keys.transpose(1, 2)) /
                            std::sqrt(static_cast<double>(q.size(2)));
  return at::matmul(at::softmax(scores + bias, -1), values).transpose(0, 1);
}

struct Reference {
  at::Tensor total, lm, reg;
};

struct Document {
  const TrainingDocument& data;
  std::int64_t index, tokens;
  at::Tensor full_bias;
  const SparseSide& sparse;

  // Of the rows' own queries and keys [tokens, heads, d].
  at::Tensor sparse_bias(const at::Tensor& q, const at::Tensor& k) const {
    const at::Tensor keys = k.detach().transpose(0, 1);
    const AttentionInput input{q.detach().transpose(0, 1), keys, keys, 0,
                               1 / std::sqrt(static_cast<double>(q.size(2)))};
    return bias_of(sparse.visible(input), q.size(1), tokens);
  }
};

// z of one layer's heads from the keys before RoPE, as one formula: [heads_kv].
at::Tensor gate_of(const RouterWeights& r, const at::Tensor& keys, const Document& d,
                   const at::Tensor& noise, double tau) {
  const at::Tensor prompt = keys.narrow(0, 0, d.data.prompt_tokens);
  const std::int64_t ends = std::min<std::int64_t>(kPoolRows, d.data.prompt_tokens);
  const at::Tensor pooled =
      at::cat({prompt.narrow(0, 0, ends), prompt.narrow(0, d.data.prompt_tokens - ends, ends)})
          .mean({0});
  const at::Tensor task = at::linear(at::silu(at::linear(pooled, r.task_up, r.task_up_bias)),
                                     r.task_down, r.task_down_bias);
  const at::Tensor head = at::silu(at::linear(at::silu(at::linear(task, r.head_up, r.head_up_bias)),
                                              r.head_down, r.head_down_bias));
  const at::Tensor noisy = at::linear(head, r.logits, r.logits_bias) + noise;
  const at::Tensor soft = at::softmax(noisy / tau, -1).select(1, 1);
  const at::Tensor hard = noisy.select(1, 1).gt(noisy.select(1, 0)).to(at::kDouble);
  return (hard - soft).detach() + soft;
}

at::Tensor run_layer(const DecoderWeights& w, std::int64_t l, const Document& d,
                     const TrainingPass& pass, const at::Tensor& x,
                     std::vector<at::Tensor>& gates) {
  const ModelConfig& c = w.config;
  const LayerWeights& layer = w.layers[static_cast<std::size_t>(l)];
  const at::Tensor h = norm(x, layer.input_norm, c.rms_eps);
  const std::int64_t q_rows = c.heads_q * c.head_dim, kv_rows = c.heads_kv * c.head_dim;
  const auto project = [&](std::int64_t start, std::int64_t rows) {
    return at::linear(h, layer.qkv.narrow(0, start, rows)).view({d.tokens, -1, c.head_dim});
  };
  at::Tensor q = project(0, q_rows), k = project(q_rows, kv_rows);
  const at::Tensor v = project(q_rows + kv_rows, kv_rows);
  if (c.qk_norm) {
    q = norm(q, layer.q_norm, c.rms_eps);
    k = norm(k, layer.k_norm, c.rms_eps);
  }
  const at::Tensor turned = rotate(k, c.rope);
  q = rotate(q, c.rope);
  at::Tensor out = dense(q, turned, v, d.full_bias);
  if (!w.routers.empty()) {
    gates.push_back(
        gate_of(w.routers[static_cast<std::size_t>(l)], k, d, pass.noise[l][d.index], pass.tau));
    const at::Tensor z = gates.back().repeat_interleave(c.heads_q / c.heads_kv).view({1, -1, 1});
    out = z * out + (1 - z) * dense(q, turned, v, d.sparse_bias(q, turned));
  }
  const at::Tensor y = x + at::linear(out.flatten(1, 2), layer.o);
  const at::Tensor g = at::linear(norm(y, layer.post_norm, c.rms_eps), layer.gate_up);
  return y + at::linear(at::silu(g.narrow(1, 0, c.intermediate)) *
                            g.narrow(1, c.intermediate, c.intermediate),
                        layer.down);
}

// log p of every row; the gates of its layers are appended.
at::Tensor run_document(const DecoderWeights& w, const TrainingDocument& data, std::int64_t index,
                        const TrainingPass& pass, const SparseSide& sparse,
                        std::vector<at::Tensor>& gates) {
  const auto tokens = static_cast<std::int64_t>(data.ids.size());
  const Document d{data, index, tokens, bias_of([](auto...) { return true; }, 1, tokens), sparse};
  at::Tensor x = at::embedding(w.embedding, at::tensor(data.ids, at::TensorOptions(at::kInt)));
  for (std::int64_t l = 0; l < w.config.layers; ++l) x = run_layer(w, l, d, pass, x, gates);
  return at::log_softmax(at::linear(norm(x, w.final_norm, w.config.rms_eps), w.lm_head), -1);
}

// Mean over all tokens, or answer mean + weight * mean of all others (random share 1).
at::Tensor lm_loss(const std::vector<at::Tensor>& log_p,
                   const std::vector<TrainingDocument>& documents, const LossOptions& loss) {
  std::vector<at::Tensor> answer, other;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    for (std::size_t t = 0; t + 1 < documents[d].ids.size(); ++t) {
      const at::Tensor ce = -log_p[d][static_cast<std::int64_t>(t)][documents[d].ids[t + 1]];
      (documents[d].is_answer[t + 1] != 0 ? answer : other).push_back(ce);
    }
  }
  if (loss.lm == LossRows::kAnswer) return at::stack(answer).mean();
  if (loss.lm == LossRows::kMix) {
    return at::stack(answer).mean() + loss.other_weight * at::stack(other).mean();
  }
  answer.insert(answer.end(), other.begin(), other.end());
  return at::stack(answer).mean();
}

Reference reference(const DecoderWeights& w, const std::vector<TrainingDocument>& documents,
                    const TrainingPass& pass, const SparseSide& sparse, const LossOptions& loss,
                    const Multipliers* multipliers, bool signed_form) {
  std::vector<at::Tensor> log_p, reg;
  std::vector<std::vector<at::Tensor>> reg_of_task(
      multipliers != nullptr ? static_cast<std::size_t>(multipliers->targets.numel()) : 0);
  for (std::size_t d = 0; d < documents.size(); ++d) {
    std::vector<at::Tensor> gates;
    log_p.push_back(
        run_document(w, documents[d], static_cast<std::int64_t>(d), pass, sparse, gates));
    if (multipliers == nullptr) continue;
    const std::int64_t task = documents[d].task;
    const at::Tensor gap = 1 - at::stack(gates).mean() - multipliers->targets[task];
    reg_of_task[static_cast<std::size_t>(task)].push_back(multipliers->lambda1[task] *
                                                              (signed_form ? gap : gap.abs()) +
                                                          multipliers->lambda2[task] * gap * gap);
  }
  for (const std::vector<at::Tensor>& list : reg_of_task) {
    if (!list.empty()) reg.push_back(at::stack(list).mean());
  }
  const at::Tensor lm = lm_loss(log_p, documents, loss);
  if (reg.empty()) return {lm, lm, {}};
  const at::Tensor regularizer = at::stack(reg).mean();
  return {lm + regularizer, lm, regularizer};
}

struct Case {
  bool qwen3;
  bool routed;
  bool recompute;
  LossRows lm;
  bool signed_form;
  at::ScalarType type;
  const SparseSide& sparse = kStreaming;
};

constexpr double kError = 1e-5;

void check_gradients(const SmallModel& ours, const SmallModel& theirs) {
  for (std::size_t i = 0; i < ours.parameters.size(); ++i) {
    SCOPED_TRACE(ours.parameters[i].name);
    const at::Tensor a = ours.parameters[i].tensor.grad(), b = theirs.parameters[i].tensor.grad();
    ASSERT_TRUE(a.defined());
    ASSERT_TRUE(b.defined());
    EXPECT_GT(b.norm().item<double>(), 0);
    EXPECT_LT(relative_error(a, b), kError);
  }
}

// Three documents, one past the window, one within it, one of a single block; task 2 is absent.
void check_case(const Case& test) {
  SCOPED_TRACE(::testing::Message()
               << "qwen3 " << test.qwen3 << " routed " << test.routed << " recompute "
               << test.recompute << " lm " << to_word(test.lm) << " type "
               << static_cast<int>(test.type) << " sparse " << test.sparse.mode);
  SmallModel ours = small_model(test.qwen3, test.routed, test.type);
  SmallModel theirs = small_model(test.qwen3, test.routed, at::kDouble);
  const auto documents = made_documents({530, 200, 90}, 2, 11);
  PackOptions pack_options;
  pack_options.loss = {.lm = test.lm, .other_share = 1, .other_weight = 0.3};
  pack_options.tasks = 3;
  pack_options.max_positions = 2048;
  pack_options.vocab = 61;
  const auto mode = mode_of(test.sparse.mode);
  if (test.routed) pack_options.sparse = mode.get();
  const PackedBatch batch = pack(documents, pack_options);
  TrainingPass pass{test.type, test.recompute, 1.3, {}, mode.get()};
  const std::vector<TrainingTask> tasks = {{"a", 0.6}, {"b", 1.0}, {"c", 0.5}};
  Multipliers m = make_multipliers(tasks, {}, 5, at::kCPU), n = m;
  if (test.routed) {
    pass.noise = gumbel_noise({2, 3, 2, 2}, 3);
    const auto leaf = [](const at::Tensor& t, at::ScalarType type) {
      return t.detach().to(type).set_requires_grad(true);
    };
    m = {leaf(m.lambda1, test.type), leaf(m.lambda2, test.type), m.targets.to(test.type)};
    n = {leaf(n.lambda1, at::kDouble), leaf(n.lambda2, at::kDouble), n.targets.to(at::kDouble)};
  }
  RotaryTable rotary(ours.weights.config.rope, 8, test.type, at::kCPU);
  const Objective value =
      objective(ours.weights, rotary, batch, pass, test.routed ? &m : nullptr, test.signed_form);
  value.total.backward();
  const Reference expected =
      reference(theirs.weights, documents, pass, test.sparse, pack_options.loss,
                test.routed ? &n : nullptr, test.signed_form);
  expected.total.backward();
  EXPECT_LT(relative_error(value.total, expected.total), kError);
  EXPECT_LT(relative_error(value.lm, expected.lm), kError);
  check_gradients(ours, theirs);
  if (!test.routed) return;
  EXPECT_LT(relative_error(m.lambda1.grad(), n.lambda1.grad()), kError);
  EXPECT_LT(relative_error(m.lambda2.grad(), n.lambda2.grad()), kError);
  EXPECT_EQ(m.lambda1.grad()[2].item<double>(), 0);  // task c has no document
}

TEST(TrainGradient, BackboneEqualsReference) {
  check_case({false, false, false, LossRows::kAll, false, at::kDouble});
  check_case({true, false, true, LossRows::kMix, false, at::kDouble});
  check_case({false, false, true, LossRows::kAnswer, false, at::kFloat});
}

TEST(TrainGradient, RoutersAndMultipliersEqualReference) {
  check_case({false, true, false, LossRows::kAll, false, at::kDouble});
  check_case({true, true, true, LossRows::kMix, true, at::kDouble});
  check_case({false, true, true, LossRows::kAll, false, at::kFloat});
}

TEST(TrainGradient, RoutersBesideBlocksThatQueriesChoose) {
  check_case({false, true, false, LossRows::kAll, false, at::kDouble, kXattention});
  check_case({true, true, true, LossRows::kMix, true, at::kFloat, kXattention});
}

TEST(TrainGradient, PoolingEqualsKeyPool) {
  const auto documents = made_documents({530, 200, 90}, 1, 3);
  for (const std::int64_t rows : {kPoolRows, std::int64_t{0}}) {  // both ends; the whole prompt
    PackOptions options;
    options.max_positions = 2048;
    options.vocab = 61;
    const auto mode = mode_of(kStreaming.mode);
    options.sparse = mode.get();
    options.pool_rows = rows;
    const PackedBatch batch = pack(documents, options);
    at::Tensor keys = at::zeros({batch.ids.size(0), 2, 8});
    fill(keys, 9, 1);
    const at::Tensor pooled = pool_documents(keys, batch);
    for (std::size_t d = 0; d < documents.size(); ++d) {
      const std::int64_t prompt = documents[d].prompt_tokens;
      KeyPool pool(prompt, rows == 0 ? prompt : rows);
      pool.add(keys.narrow(0, batch.layout->documents.q[d], prompt), 0);
      EXPECT_LT(relative_error(pooled[static_cast<std::int64_t>(d)], pool.mean()), 1e-6);
    }
  }
}

}  // namespace
}  // namespace elastic::engine
