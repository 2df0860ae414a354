#include "engine/attention/masked_attention.h"

#include "engine/attention/cpu_attention.h"

namespace elastic::engine {

DeviceAttention& device_attention() {
  static DeviceAttention table;
  return table;
}

void masked_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      const BlockMask& mask, at::Tensor& out, at::Tensor* lse) {
  if (kv_heads.empty() || input.q.size(1) == 0) return;
  if (!input.q.is_cpu() && lse == nullptr) {
    const DeviceAttention& device = device_attention();
    if (mask.dense && device.dense != nullptr) return device.dense(input, kv_heads, out);
    if (device.masked != nullptr) return device.masked(input, kv_heads, mask, out);
  }
  if (runs_on_cpu_kernels(input)) return cpu_attention(input, kv_heads, mask, out, lse);
  composed_attention(input, kv_heads, mask, out, lse);
}

}  // namespace elastic::engine
