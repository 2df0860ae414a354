// Heads drawn at random over the whole model (`heads=random`): what a chosen set is compared with.

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/python_random.h"
#include "engine/attention/registry.h"

namespace elastic::engine {

std::unique_ptr<HeadPolicy> make_random_heads(ModeOptions& options, const PlanContext& context) {
  const std::optional<std::string> heads = options.value("heads");
  if (!heads) return nullptr;
  const std::optional<double> sparsity = options.fraction("sparsity");
  if (*heads != "random" || !sparsity) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: heads={} has to be heads=random, with sparsity=0..1 (share "
                            "of sparse heads)",
                            options.text(), *heads));
  }
  const std::int64_t seed = options.integer("seed", 42, 0);
  // As many as a router of that MSR makes sparse.
  const auto total = static_cast<std::size_t>(context.layers * context.heads_kv);
  const auto count = std::llround(*sparsity * static_cast<double>(total));
  std::vector<std::uint8_t> is_sparse(total, 0);
  PythonRandom random(static_cast<std::uint64_t>(seed));
  for (const std::size_t head : random.sample(total, count)) is_sparse[head] = 1;
  return make_fixed(std::move(is_sparse), context.heads_kv,
                    fmt::format("heads=random,sparsity={},seed={}", *sparsity, seed));
}

}  // namespace elastic::engine
