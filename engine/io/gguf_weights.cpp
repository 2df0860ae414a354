#include "engine/io/gguf_weights.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "engine/config/gguf_config.h"
#include "engine/io/dequantize.h"

namespace elastic::engine {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.", kBlockPrefix = "blk.";
constexpr std::string_view kQueryName = "self_attn.q_proj", kKeyName = "self_attn.k_proj";

using Pair = std::pair<std::string_view, std::string_view>;  // GGUF's name, Hugging Face's

constexpr Pair kModelNames[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
};

// Without ".weight" or ".bias", inside a layer.
constexpr Pair kLayerNames[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", kQueryName},
    {"attn_k", kKeyName},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

struct LayerName {
  std::string_view number, tensor, ending;  // "3", "attn_q", ".weight"
};

// "blk.3.attn_q.weight" with the prefix "blk."; nothing where it is no such name.
std::optional<LayerName> layer_name(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const std::size_t dot = name.find('.'), last = name.rfind('.');
  if (dot == std::string_view::npos || last <= dot || !parse_int(name.substr(0, dot))) {
    return std::nullopt;
  }
  return LayerName{name.substr(0, dot), name.substr(dot + 1, last - dot - 1), name.substr(last)};
}

// The other language's name, from the `from` of the pairs to the `to`; the name itself where there
// is no other.
std::string translated(std::string_view name, std::string_view Pair::*from,
                       std::string_view Pair::*to, std::string_view prefix,
                       std::string_view other_prefix) {
  for (const Pair& pair : kModelNames) {
    if (pair.*from == name) return std::string(pair.*to);
  }
  const auto parts = layer_name(name, prefix);
  if (!parts) return std::string(name);
  for (const Pair& pair : kLayerNames) {
    if (pair.*from == parts->tensor) {
      return fmt::format("{}{}.{}{}", other_prefix, parts->number, pair.*to, parts->ending);
    }
  }
  return std::string(name);
}

// Values that are one by one, so that rows of a vector are elements.
std::int64_t rows_of(const GgufTensor& tensor, bool interleaved) {
  if (tensor.shape.size() == 1) return interleaved ? tensor.shape[0] : 1;
  return tensor.elements() / tensor.shape.back();
}

std::int64_t stored_row(std::int64_t row, std::int64_t head_rows) {
  const std::int64_t within = row % head_rows, half = head_rows / 2;
  return row - within + 2 * (within % half) + within / half;
}

}  // namespace

std::int64_t GgufWeight::rows() const { return rows_of(*tensor, interleaved_heads > 0); }

std::map<std::string, GgufWeight> gguf_weights(const GgufFile& file) {
  const Json config = gguf_config(file);
  const bool interleaved = gguf_architecture(file).interleaved;
  std::map<std::string, GgufWeight> weights;
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;  // part of the config
    const std::string name =
        translated(tensor.name, &Pair::first, &Pair::second, kBlockPrefix, kLayerPrefix);
    GgufWeight weight{.tensor = &tensor};
    const auto parts = layer_name(name, kLayerPrefix);
    if (interleaved && parts && (parts->tensor == kQueryName || parts->tensor == kKeyName)) {
      weight.interleaved_heads =
          config[parts->tensor == kQueryName ? "num_attention_heads" : "num_key_value_heads"];
      const bool blocks = tensor.shape.size() == 1 && block_of(tensor.type).elements > 1;
      if (blocks || weight.interleaved_heads < 1 ||
          weight.rows() % (2 * weight.interleaved_heads) != 0) {
        throw Error(ErrorKind::kCorrupt,
                    fmt::format("{}: tensor `{}` ({}) has {} rows, no pairs in {} heads",
                                file.source(), tensor.name, to_string(tensor.type), weight.rows(),
                                weight.interleaved_heads));
      }
    }
    if (!weights.emplace(name, weight).second) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: tensor `{}` is also there as `{}`", file.source(), name,
                              weights.at(name).tensor->name));
    }
  }
  return weights;
}

std::string gguf_name(std::string_view hugging_face) {
  return translated(hugging_face, &Pair::second, &Pair::first, kLayerPrefix, kBlockPrefix);
}

void read_rows(const GgufWeight& weight, std::int64_t begin, std::int64_t end,
               std::span<float> values) {
  const GgufTensor& tensor = *weight.tensor;
  const std::int64_t rows = weight.rows();
  const auto row_bytes = static_cast<std::int64_t>(tensor.bytes.size()) / rows;
  const std::int64_t columns = tensor.elements() / rows;
  const std::int64_t head_rows = weight.interleaved_heads > 0 ? rows / weight.interleaved_heads : 0;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t from = head_rows > 0 ? stored_row(row, head_rows) : row;
    dequantize(tensor.type,
               tensor.bytes.subspan(static_cast<std::size_t>(from * row_bytes),
                                    static_cast<std::size_t>(row_bytes)),
               values.subspan(static_cast<std::size_t>((row - begin) * columns),
                              static_cast<std::size_t>(columns)));
  }
}

}  // namespace elastic::engine
