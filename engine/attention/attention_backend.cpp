#include "engine/attention/attention_backend.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <array>

#include "engine/attention/composed_attention.h"
#include "engine/attention/cpu_attention.h"

namespace elastic::engine {
namespace {

class CpuBackend final : public ComposedBackend {
 protected:
  void attend(const AttentionInput& input, std::span<const int> kv_heads, const BlockMask& mask,
              at::Tensor& out, at::Tensor* lse) const override {
    if (runs_on_cpu_kernels(input)) return cpu_attention(input, kv_heads, mask, out, lse);
    composed_attention(input, kv_heads, mask, out, lse);
  }

  void attend_skipping(const AttentionInput& input, std::span<const int> kv_heads,
                       const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                       at::Tensor* lse) const override {
    if (runs_on_cpu_kernels(input) && kernels_take(rule)) {
      return cpu_skip_attention(input, kv_heads, rule, tiles, out, lse);
    }
    ComposedBackend::attend_skipping(input, kv_heads, rule, tiles, out, lse);
  }
};

using Installed = std::array<const AttentionBackend*, at::COMPILE_TIME_MAX_DEVICE_TYPES>;

Installed& installed() {
  static const CpuBackend cpu;
  static Installed table = [] {
    Installed empty{};
    empty[static_cast<std::size_t>(at::kCPU)] = &cpu;
    return empty;
  }();
  return table;
}

}  // namespace

const AttentionBackend& attention_backend(at::Device device) {
  const AttentionBackend* backend = installed()[static_cast<std::size_t>(device.type())];
  return backend == nullptr ? composed_backend() : *backend;
}

void install_attention_backend(at::DeviceType type, const AttentionBackend* backend) {
  installed()[static_cast<std::size_t>(type)] = backend;
}

void attend(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out) {
  const AttentionBackend& backend = attention_backend(input.q.device());
  if (groups.groups.size() != 1 || groups.groups[0].branches.empty()) {
    return backend.prefill(input, groups, out, nullptr);
  }
  const HeadGroup& group = groups.groups[0];
  at::Tensor sum = at::zeros(out.sizes(), out.options().dtype(at::kFloat)), one;
  for (const Branch& branch : group.branches) {
    one = at::empty_like(out);
    masked_attention(branch.input, group.kv_heads, branch.mask, one);
    sum.addcmul_(one.to(at::kFloat), branch.gate.unsqueeze(2));
  }
  out.copy_(sum);
}

void masked_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      const BlockMask& mask, at::Tensor& out, at::Tensor* lse) {
  const HeadGroups one{{{0, {kv_heads.begin(), kv_heads.end()}, mask, {}}}, {}};
  attention_backend(input.q.device()).prefill(input, one, out, lse);
}

}  // namespace elastic::engine
