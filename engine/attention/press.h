#pragma once

// Presses: modes that evict keys of a prompt once its layer has attended to all of them
// (sparse_attention_2 spec 4). Prefill is dense; decode steps attend to the keys kept, which stay
// at their positions, and to all that were generated. Each press scores the keys, one score a KV
// head; what is kept by these scores is said here.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "engine/attention/head_mode.h"
#include "engine/attention/mode_options.h"

namespace elastic::engine {

struct PressBudget {
  std::int64_t tokens = 1024;   // that each KV head keeps
  std::optional<double> ratio;  // share of the prompt that is evicted, in place of `tokens`
  // AdaKV: the heads of a layer compete for their budgets, but for this share of each.
  std::optional<double> adakv;

  std::int64_t kept(std::int64_t prompt_tokens) const;
};

/// budget or ratio, and adakv where heads may differ.
PressBudget read_budget(ModeOptions& options, bool by_head);

class Press : public HeadMode {
 public:
  explicit Press(const PressBudget& budget) : budget_(budget) {}

  std::string describe() const final;
  ModePlaces places() const override { return {.prompt_eviction = true}; }
  bool falls_back(std::int64_t tokens) const final;
  KeptKeys keep_keys(const AttentionInput& rows, HeadState& state) const final;

  /// Of a prompt whose rows end with `rows`: fp32 [heads_kv, tokens], infinite for keys that are
  /// kept before any other. `state` is what add_rows() made of all of them.
  virtual at::Tensor scores(const AttentionInput& rows, const HeadState& state) const = 0;

  /// Takes what scores() needs of the queries of a prompt, whose rows come in order.
  virtual void add_rows(const AttentionInput&, HeadState&) const {}

 protected:
  virtual std::string options() const { return ""; }  // ",window=64"
  /// Keys at the beginning, or at the end, that are kept before any other.
  virtual std::int64_t first_forced() const { return 0; }
  virtual std::int64_t last_forced() const { return 0; }

 private:
  PressBudget budget_;
};

}  // namespace elastic::engine
