#include "engine/cuda/cuda_strips.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>

#include "engine/cuda/strip_call.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kBand = std::int64_t{kBandTiles} * kStripTile;  // strips

std::int64_t divided(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

HeadMatrix<const void*> matrix(const at::Tensor& x) {
  if (!x.defined()) return {};
  return {x.const_data_ptr(), x.stride(0), x.stride(1)};
}

bool takes(const AttentionInput& input, const StripRule& rule) {
  const auto aligned = [](const at::Tensor& x) {  // as the tensor memory accelerator wants it
    return x.stride(2) == 1 && x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0 &&
           reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
  };
  const at::Tensor &q = input.q, &k = input.k;
  return device_kernels_take(q.scalar_type(), q.size(2)) && prefill_takes(q.size(2)) &&
         rule.sizes.block == kMaskBlock && strips_take(rule.sizes.stride) &&
         input.q_start % kMaskBlock == 0 && q.size(1) > 0 && k.size(0) <= kMostStripHeads &&
         input.q_start + q.size(1) <= most_key_blocks(rule.sizes.stride) * kMaskBlock &&
         aligned(q) && aligned(k);
}

// The last tile of x [heads, tokens, head_dim] where its last strip is not whole: zeros behind it.
at::Tensor tail(const at::Tensor& x, std::int64_t tokens, std::int64_t stride, std::int32_t& tile) {
  if (tokens % stride == 0) return {};
  tile = static_cast<std::int32_t>((divided(tokens, stride) - 1) / kStripTile);
  const std::int64_t start = std::int64_t{tile} * kStripTile * stride;
  return at::constant_pad_nd(x.narrow(1, start, tokens - start),
                             {0, 0, 0, stride - tokens % stride});
}

// The bytes that say which KV heads are meant; undefined where all are.
at::Tensor meant(const AttentionInput& input, const CandidateHeads& heads) {
  if (heads.decided.defined()) return heads.decided.contiguous();
  const auto all = static_cast<std::size_t>(input.k.size(0));
  if (heads.kv_heads.size() == all) return {};
  std::vector<std::uint8_t> bytes(all, heads.sparse == 0 ? 1 : 0);
  for (const int head : heads.kv_heads) bytes[static_cast<std::size_t>(head)] = heads.sparse;
  return on_device(at::tensor(bytes, at::TensorOptions(at::kByte)), input.q.device());
}

// The shape of the problem, without memory of our own.
StripCall call_of(const AttentionInput& input, const StripRule& rule) {
  StripCall call{.q = matrix(input.q), .k = matrix(input.k)};
  call.heads_q = static_cast<std::int32_t>(input.q.size(0));
  call.heads_kv = static_cast<std::int32_t>(input.k.size(0));
  call.head_dim = static_cast<std::int32_t>(input.q.size(2));
  call.stride = static_cast<std::int32_t>(rule.sizes.stride);
  call.rows = static_cast<std::int32_t>(input.q.size(1));
  call.q_start = static_cast<std::int32_t>(input.q_start);
  call.scale = static_cast<float>(input.scale);
  call.is_half = input.q.scalar_type() == at::kHalf;
  call.tau = static_cast<float>(rule.taus.front());
  call.lagging_blocks =
      rule.rule == XattentionRule::kPublic ? static_cast<std::int32_t>(rule.chunk_blocks) : 0;
  return call;
}

// Band by band through both kernels.
void run(StripCall& call, const at::TensorOptions& numbers) {
  const std::int64_t strips = divided(call.rows, call.stride);
  const std::int64_t tile_blocks = kStripTile * call.stride / kMaskBlock;
  const std::int64_t most_tiles =
      divided(divided(call.q_start + call.rows, call.stride), kStripTile);
  const std::int64_t kept = std::int64_t{call.heads_q} * kBand * most_tiles;
  const at::Tensor workspace = at::empty({kept * (2 + tile_blocks)}, numbers);
  call.tops = static_cast<StripTop*>(workspace.data_ptr());
  call.sums = workspace.data_ptr<float>() + 2 * kept;
  const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
  for (std::int64_t first = 0; first < strips; first += kBand) {
    call.first_strip = static_cast<std::int32_t>(first);
    call.strips = static_cast<std::int32_t>(std::min(kBand, strips - first));
    const std::int64_t end = call.q_start / call.stride + first + call.strips;
    call.key_tiles = static_cast<std::int32_t>(divided(end, kStripTile));
    C10_CUDA_CHECK(score_strips(call, stream));
    C10_CUDA_CHECK(select_strips(call, stream));
  }
}

}  // namespace

std::optional<BlockChoice> choose_by_strips(const AttentionInput& input,
                                            const CandidateHeads& heads, const StripRule& rule) {
  if (!takes(input, rule)) return std::nullopt;
  const std::int64_t rows = input.q.size(1), end = input.q_start + rows;
  const auto numbers = at::TensorOptions(input.q.device());
  BlockChoice choice{.keep = {}, .block = kMaskBlock};
  choice.key_blocks = divided(end, kMaskBlock);
  choice.heads = query_heads(input, heads.kv_heads);
  const std::int64_t words = divided(choice.key_blocks, 32);
  choice.counts = at::empty({input.q.size(0), divided(rows, kMaskBlock)}, numbers.dtype(at::kInt));
  choice.bits =
      at::empty({input.q.size(0), divided(rows, kMaskBlock), words}, numbers.dtype(at::kInt));
  StripCall call = call_of(input, rule);
  const at::Tensor q_tail = tail(input.q, rows, rule.sizes.stride, call.q_tail_tile);
  const at::Tensor k_tail = tail(input.k, end, rule.sizes.stride, call.k_tail_tile);
  call.q_tail = matrix(q_tail);
  call.k_tail = matrix(k_tail);
  const at::Tensor bytes = meant(input, heads);
  if (bytes.defined()) call.decided = bytes.const_data_ptr<std::uint8_t>();
  call.wanted = heads.sparse;
  at::Tensor taus;
  if (rule.taus.size() > 1) {
    taus =
        on_device(at::tensor(at::ArrayRef<double>(rule.taus.data(), rule.taus.size()), at::kFloat),
                  input.q.device());
    call.taus = taus.const_data_ptr<float>();
  }
  call.bits = static_cast<std::uint32_t*>(choice.bits.data_ptr());
  call.counts = choice.counts.data_ptr<std::int32_t>();
  call.words = static_cast<std::int32_t>(words);
  run(call, numbers.dtype(at::kFloat));
  return choice;
}

}  // namespace elastic::engine
