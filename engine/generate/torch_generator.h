#pragma once

// The LibTorch implementation of api/generator.h: one decoder on one device, prefill per request,
// decode steps for all requests in flight together.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/api/generator.h"
#include "engine/api/tokenizer.h"
#include "engine/attention/attention_plan.h"
#include "engine/generate/answer.h"
#include "engine/model/decoder.h"
#include "engine/model/recorded_step.h"

namespace elastic::engine {

/// What a checkpoint's config brings to a plan; its routers are to be added.
PlanContext plan_context(const ModelConfig& config);

class TorchGenerator final : public Generator {
 public:
  /// `info` without the fields that the decoder's config and weights give. Starts in mode `fa`.
  TorchGenerator(Decoder decoder, std::shared_ptr<const Tokenizer> tokenizer, ModelInfo info);

  const ModelInfo& model() const override { return info_; }
  std::string device() const override;
  std::string dtype() const override;
  void set_mode(std::string_view mode) override;
  std::string mode() const override { return plan_->describe(); }
  void generate(const RequestStream& stream, std::int64_t most) override;
  using Generator::generate;
  std::vector<RouterFeatures> router_features(std::span<const std::int32_t> ids,
                                              std::int64_t layers) override;

  std::vector<std::vector<float>> retrieval_scores(std::span<const std::int32_t> ids,
                                                   std::span<const std::int64_t> needle) override;

 private:
  void check_request(const Request& request) const;
  Answer start(Request request) const;
  void prefill(Answer& answer);
  void step(std::span<Answer* const> batch);
  void step_recorded(std::span<Answer* const> batch);
  void step_composed(std::span<Answer* const> batch);
  void accept_rows(std::span<Answer* const> batch, const at::Tensor& logits) const;

  Decoder decoder_;
  RecordedStep step_{decoder_};
  std::shared_ptr<const Tokenizer> tokenizer_;  // null: ids only
  ModelInfo info_;
  std::function<std::optional<double>()> joules_;  // of the device's energy counter; empty on a CPU
  std::shared_ptr<const AttentionPlan> plan_;
  std::set<std::string> said_;  // notes on modes, each said once
};

}  // namespace elastic::engine
