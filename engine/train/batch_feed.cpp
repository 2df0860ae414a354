#include "engine/train/batch_feed.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/train/noise.h"
#include "engine/train/training_decoder.h"

namespace elastic::engine {
namespace {

FedBatch draw(const BatchSource& source, const FeedOptions& options, const BatchPosition& at) {
  try {
    // Numbered so that n processes draw what one process draws in n micro steps.
    const int batch = at.micro_step * at.world + at.rank;
    const std::uint64_t seed = mix_seed(
        {options.seed, static_cast<std::uint64_t>(at.step), static_cast<std::uint64_t>(batch)});
    const std::vector<TrainingDocument> documents = source.draw(at);
    PackOptions pack_options = options.pack;
    pack_options.seed = mix_seed({seed, 4});
    FedBatch fed{pack(documents, pack_options), {}};
    if (options.layers > 0) {
      fed.noise = gumbel_noise(
          {options.layers, static_cast<std::int64_t>(documents.size()), options.heads_kv, 2},
          mix_seed({seed, 5}));
    }
    return fed;
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("step {}: {}", at.step, error.what()));
  }
}

}  // namespace

BatchFeed::BatchFeed(const BatchSource& source, const FeedOptions& options, std::int64_t first_step)
    : source_(source), options_(options) {
  position_.step = first_step;
  position_.micro_steps = options.micro_steps;
  position_.rank = options.rank;
  position_.world = options.world;
  for (int i = 0; i < options_.at_once; ++i) start();
}

void BatchFeed::start() {
  if (position_.step >= options_.steps) return;
  position_.progress = static_cast<double>(position_.step) / static_cast<double>(options_.steps);
  ahead_.push_back(std::async(std::launch::async,
                              [this, at = position_] { return draw(source_, options_, at); }));
  if (++position_.micro_step == options_.micro_steps) {
    position_.micro_step = 0;
    ++position_.step;
  }
}

void BatchFeed::wait() const {
  check(!ahead_.empty(), "batches end with the steps");
  ahead_.front().wait();
}

FedBatch BatchFeed::next() {
  check(!ahead_.empty(), "batches end with the steps");
  FedBatch fed = ahead_.front().get();
  ahead_.pop_front();
  start();
  return fed;
}

}  // namespace elastic::engine
