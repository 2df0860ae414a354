#pragma once

// Settings of a training that are one of a few words. In files they are the words, in their enum's
// order.
//
//   loss.lm = word_value<LossRows>("loss.lm", "mix");  // LossRows::kMix
//   to_word(loss.lm);                                  // "mix"

#include <array>
#include <string>
#include <string_view>

#include "base/registry.h"

namespace elastic::engine {

/// Of the computation. kAuto: fp32 on the CPU, bf16 on a GPU.
enum class TrainType { kAuto, kFp32, kBf16 };

/// Tokens that the language-modelling term reads. kAll: every one but the first of a document;
/// kAnswer: answer tokens only; kMix: mean over answer tokens + other_weight * mean over a random
/// share of the others.
enum class LossRows { kAll, kAnswer, kMix };

/// kSpec: N(0, .02); kHe: N(0, 1.4 / sqrt(fan_in)), the last layer N(0, .02).
enum class RouterInit { kSpec, kHe };

/// Keys that a router reads. kBoundary: the first and the last pool_rows; kFull: all of them.
enum class RouterPooling { kBoundary, kFull };

/// kCosine: tau_start to tau_end over tau_share of the steps;
/// kExponential: tau_start * exp(-rate p), not below tau_end.
enum class TauSchedule { kCosine, kExponential };

/// Gates that are the same for every prompt: DuoAttention's, PruLong's.
enum class HeadMethod { kDuo, kPrulong };

/// What `train router` leaves: a whole model, or the routers alone (engine/io/router_adapter.h).
enum class TrainExport { kModel, kAdapter };

constexpr std::array<const char*, 3> words_of(TrainType) { return {"auto", "fp32", "bf16"}; }
constexpr std::array<const char*, 3> words_of(LossRows) { return {"all", "answer", "mix"}; }
constexpr std::array<const char*, 2> words_of(RouterInit) { return {"spec", "he"}; }
constexpr std::array<const char*, 2> words_of(RouterPooling) { return {"boundary", "full"}; }
constexpr std::array<const char*, 2> words_of(TauSchedule) { return {"cosine", "exponential"}; }
constexpr std::array<const char*, 2> words_of(HeadMethod) { return {"duo", "prulong"}; }
constexpr std::array<const char*, 2> words_of(TrainExport) { return {"model", "adapter"}; }

template <typename Enum>
std::string to_word(Enum value) {
  return words_of(value)[static_cast<std::size_t>(value)];
}

/// kInvalidArgument naming the option, the word and those known.
template <typename Enum>
Enum word_value(std::string_view option, std::string_view word) {
  const auto words = words_of(Enum{});
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (word == words[i]) return static_cast<Enum>(i);
  }
  throw_unknown_name("value of training option `" + std::string(option) + "`", word,
                     {words.begin(), words.end()});
}

}  // namespace elastic::engine
