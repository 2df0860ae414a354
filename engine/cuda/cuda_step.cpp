// StepKernels of CUDA devices: our kernels behind LibTorch tensors, steps recorded as CUDA graphs.

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>
#include <iterator>
#include <memory>

#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/router_call.h"
#include "engine/cuda/step_call.h"
#include "engine/device/cuda_interface.h"
#include "engine/device/step_kernels.h"
#include "engine/router/router.h"

namespace elastic::engine {
namespace {

const __nv_bfloat16* numbers(const at::Tensor& x) {
  return x.defined() ? static_cast<const __nv_bfloat16*>(x.const_data_ptr()) : nullptr;
}
__nv_bfloat16* writable(const at::Tensor& x) { return static_cast<__nv_bfloat16*>(x.data_ptr()); }

StepShape shape_of(const StepLayer& layer, std::int64_t head_dim) {
  return {static_cast<std::int32_t>(layer.positions.size(0)),
          static_cast<std::int32_t>(layer.heads_q),
          static_cast<std::int32_t>(layer.heads_kv),
          static_cast<std::int32_t>(head_dim),
          layer.positions.const_data_ptr<std::int32_t>(),
          static_cast<const KvSlot*>(layer.slots.const_data_ptr())};
}

void append(const StepLayer& layer, const at::Tensor& qkv, const at::Tensor& q_norm,
            const at::Tensor& k_norm, double eps, const at::Tensor& cos, const at::Tensor& sin,
            const at::Tensor& q) {
  const AppendCall call{shape_of(layer, q.size(2)),
                        numbers(qkv),
                        numbers(q_norm),
                        numbers(k_norm),
                        numbers(cos),
                        numbers(sin),
                        writable(q),
                        static_cast<float>(eps)};
  C10_CUDA_CHECK(append_step(call, c10::cuda::getCurrentCUDAStream()));
}

PageSpace space_of(const StepPages& pages) {
  if (!pages.scores.defined()) return {};
  return {static_cast<std::int32_t>(pages.scores.size(2)), pages.scores.data_ptr<float>(),
          static_cast<std::uint32_t*>(pages.bits.data_ptr()), pages.keys.data_ptr<std::int32_t>()};
}

void attend(const StepLayer& layer, const at::Tensor& q, const at::Tensor& out) {
  DecodeCall call{shape_of(layer, q.size(2)), numbers(q), writable(out)};
  call.pages = space_of(layer.pages);
  if (call.pages.room > 0) {
    const PageCall choice{call.shape, call.q, call.pages};
    C10_CUDA_CHECK(choose_pages(choice, c10::cuda::getCurrentCUDAStream()));
  }
  call.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(q.size(2))));
  const at::Tensor partials = at::empty({partial_floats(call)}, q.options().dtype(at::kFloat));
  call.partials = partials.data_ptr<float>();
  C10_CUDA_CHECK(decode_step(call, c10::cuda::getCurrentCUDAStream()));
}

void linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LinearEnd end,
            const at::Tensor& y) {
  const LinearCall call{numbers(x),
                        numbers(weight),
                        numbers(bias),
                        writable(y),
                        static_cast<std::int32_t>(x.size(0)),
                        static_cast<std::int32_t>(x.size(1)),
                        static_cast<std::int32_t>(y.size(1)),
                        end};
  const bool hopper = runs_on_hopper() && y.size(1) * x.size(1) >= kLeastHopperWeight;
  C10_CUDA_CHECK((hopper ? linear_hopper : linear_step)(call, c10::cuda::getCurrentCUDAStream()));
}

void norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& out) {
  const NormCall call{numbers(x),
                      numbers(weight),
                      writable(out),
                      static_cast<std::int32_t>(x.size(0)),
                      static_cast<std::int32_t>(x.size(1)),
                      static_cast<float>(eps)};
  C10_CUDA_CHECK(norm_step(call, c10::cuda::getCurrentCUDAStream()));
}

void gate(const at::Tensor& x, const at::Tensor& out) {
  C10_CUDA_CHECK(gate_rows(numbers(x), writable(out), out.size(0), out.size(1),
                           c10::cuda::getCurrentCUDAStream()));
}

void rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
            const at::Tensor& out) {
  RotateCall call{numbers(x),    x.stride(0),   x.stride(1),
                  writable(out), out.stride(1), out.stride(0)};
  call.cos = numbers(cos);
  call.sin = numbers(sin);
  call.rows = x.size(0);
  call.heads = static_cast<std::int32_t>(x.size(1));
  call.head_dim = static_cast<std::int32_t>(x.size(2));
  C10_CUDA_CHECK(rotate_rows(call, c10::cuda::getCurrentCUDAStream()));
}

void route(const RouterWeights& router, const RouterKeys& read, const at::Tensor& pooled,
           const at::Tensor& logits, const at::Tensor& is_sparse) {
  RouterCall call;
  static_assert(std::size(call.chunks) == kMostRouterRows);
  RouterChunk* chunk = call.chunks;
  for (const RouterRows& rows : read.rows) {
    *chunk++ = {numbers(rows.keys), rows.keys.stride(0), rows.keys.stride(1), rows.first_row};
  }
  call.tokens = read.tokens;
  call.window = static_cast<std::int32_t>(read.window);
  call.heads_kv = static_cast<std::int32_t>(pooled.size(0));
  call.head_dim = static_cast<std::int32_t>(pooled.size(1));
  call.wide = static_cast<std::int32_t>(router.task_up.size(0));
  call.outputs = static_cast<std::int32_t>(router.logits.size(0));
  RouterMap* map = call.maps;
  for (const RouterLinear& linear : kRouterLinears) {
    *map++ = {numbers(router.*linear.weight), numbers(router.*linear.bias)};
  }
  call.pooled = writable(pooled);
  call.logits = logits.data_ptr<float>();
  call.is_sparse = is_sparse.data_ptr<std::uint8_t>();
  C10_CUDA_CHECK(route_heads(call, c10::cuda::getCurrentCUDAStream()));
}

// On a stream of its own: the default one cannot be recorded.
std::function<void()> record(const std::function<void()>& work) {
  const c10::cuda::CUDAStream caller = c10::cuda::getCurrentCUDAStream();
  caller.synchronize();
  const auto graph = std::make_shared<at::cuda::CUDAGraph>();
  const c10::cuda::CUDAStream own = c10::cuda::getStreamFromPool();
  {
    const c10::cuda::CUDAStreamGuard guard(own);
    work();
    own.synchronize();
    graph->capture_begin();
    work();
    graph->capture_end();
  }
  return [graph] { graph->replay(); };
}

}  // namespace

extern "C" void elastic_cuda_step(StepKernels& table) {
  table = {linear, norm, append, attend, gate, rotate, route, record};
}

}  // namespace elastic::engine
