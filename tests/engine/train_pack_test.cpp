// Batches written out: rows, weights, pools, layouts; and the order in which they are drawn.

#include <gtest/gtest.h>

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/splitmix.h"
#include "engine/train/batch_feed.h"
#include "engine/train/noise.h"
#include "engine/train/span_kernel.h"
#include "engine/train/training_decoder.h"
#include "tests/engine/modes.h"
#include "tests/engine/train_model.h"

namespace elastic::engine {
namespace {

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Ints ints_of(const at::Tensor& tensor) {
  const at::Tensor wide = tensor.to(at::kLong).contiguous();
  return {wide.const_data_ptr<std::int64_t>(), wide.const_data_ptr<std::int64_t>() + wide.numel()};
}

Floats floats_of(const at::Tensor& tensor) {
  EXPECT_EQ(tensor.scalar_type(), at::kFloat);
  const at::Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

// Three documents of 5, 3 and 4 tokens, of tasks 1, 0, 1 (task 2 has none); answers at the end.
std::vector<TrainingDocument> three_documents() {
  return {
      {.ids = {10, 11, 12, 13, 14}, .is_answer = {0, 0, 0, 1, 1}, .prompt_tokens = 3, .task = 1},
      {.ids = {20, 21, 22}, .is_answer = {0, 0, 1}, .prompt_tokens = 2, .task = 0},
      {.ids = {30, 31, 32, 33}, .is_answer = {1, 0, 0, 0}, .prompt_tokens = 4, .task = 1}};
}

PackOptions pack_options(LossRows lm) {
  PackOptions options;
  options.loss = {.lm = lm, .other_share = 1, .other_weight = 0.6};
  options.tasks = 3;
  options.max_positions = 5;
  options.vocab = 34;
  return options;
}

TEST(TrainBatch, RowsOfDocumentsFollowEachOther) {
  const PackedBatch batch = pack(three_documents(), pack_options(LossRows::kAll));
  EXPECT_EQ(batch.tokens, 12);
  EXPECT_EQ(batch.longest, 5);
  EXPECT_EQ(batch.documents_of_task, (Ints{1, 2, 0}));
  EXPECT_EQ(batch.ids.scalar_type(), at::kInt);
  EXPECT_EQ(ints_of(batch.ids), (Ints{10, 11, 12, 13, 14, 20, 21, 22, 30, 31, 32, 33}));
  EXPECT_EQ(ints_of(batch.positions), (Ints{0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3}));
  EXPECT_EQ(ints_of(batch.document), (Ints{0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2}));
  EXPECT_EQ(ints_of(batch.loss_rows), (Ints{0, 1, 2, 3, 5, 6, 8, 9, 10}));
  EXPECT_EQ(ints_of(batch.targets), (Ints{11, 12, 13, 14, 21, 22, 31, 32, 33}));
  EXPECT_EQ(floats_of(batch.weights), Floats(9, 1.0f / 9));
  const float third = 1.0f / 3;  // of answer tokens: rows 2, 3 and 6
  EXPECT_EQ(floats_of(batch.answer_weights), (Floats{0, 0, third, third, 0, third, 0, 0, 0}));
  EXPECT_EQ(ints_of(batch.task), (Ints{1, 0, 1}));
  EXPECT_EQ(batch.task_mean.sizes(), (Ints{3, 3}));
  EXPECT_EQ(floats_of(batch.task_mean), (Floats{0, 1, 0, 0.5f, 0, 0.5f, 0, 0, 0}));
  EXPECT_FALSE(batch.pool_rows.defined());
  EXPECT_FALSE(batch.pool_weights.defined());
  EXPECT_EQ(batch.layout->documents.q, (Ints{0, 5, 8, 12}));
  EXPECT_TRUE(batch.layout->chunks.empty());
}

TEST(TrainBatch, AnswersAreOneHalfOfAMixAndAllOfAnAnswerLoss) {
  const PackedBatch mix = pack(three_documents(), pack_options(LossRows::kMix));
  EXPECT_EQ(mix.loss_rows.numel(), 9) << "the whole of the others";
  const float third = 1.0f / 3, other = 0.6f / 6;
  EXPECT_EQ(floats_of(mix.weights),
            (Floats{other, other, third, third, other, third, other, other, other}));
  const PackedBatch answer = pack(three_documents(), pack_options(LossRows::kAnswer));
  EXPECT_EQ(ints_of(answer.loss_rows), (Ints{2, 3, 6}));
  EXPECT_EQ(ints_of(answer.targets), (Ints{13, 14, 22}));
  EXPECT_EQ(floats_of(answer.weights), Floats(3, third));
  EXPECT_EQ(floats_of(answer.answer_weights), Floats(3, third));
  PackOptions none = pack_options(LossRows::kMix);
  none.loss.other_share = 0;
  EXPECT_EQ(ints_of(pack(three_documents(), none).loss_rows), (Ints{2, 3, 6}));

  std::vector<TrainingDocument> silent = three_documents();
  for (TrainingDocument& d : silent) d.is_answer.assign(d.ids.size(), 0);
  const PackedBatch others = pack(silent, pack_options(LossRows::kMix));
  EXPECT_EQ(floats_of(others.weights), Floats(9, 0.6f / 9));
  EXPECT_EQ(floats_of(others.answer_weights), Floats(9, 0));
  try {
    pack(silent, pack_options(LossRows::kAnswer));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_STREQ(error.what(),
                 "no document of the batch has an answer token, and the loss reads nothing else");
  }
}

// Row i of those that carry no answer is kept where the i-th
// number of the seed lies below the share.
TEST(TrainBatch, RowsOfAMixAreDrawnByTheirPlace) {
  PackOptions options = pack_options(LossRows::kMix);
  options.max_positions = 300;
  options.vocab = 61;
  options.loss.other_share = 0.4;
  options.seed = 12345;
  const auto documents = testing::made_documents({200, 150}, 2, 9);
  const PlacedRandom random(options.seed);
  Ints rows;
  std::uint64_t place = 0;
  for (std::int64_t d = 0; d < 2; ++d) {
    const TrainingDocument& document = documents[static_cast<std::size_t>(d)];
    for (std::size_t t = 0; t + 1 < document.ids.size(); ++t, ++place) {
      const bool kept = document.is_answer[t + 1] != 0 || random.uniform(place) < 0.4;
      if (kept) rows.push_back(d * 200 + static_cast<std::int64_t>(t));
    }
  }
  EXPECT_EQ(ints_of(pack(documents, options).loss_rows), rows);
}

TEST(TrainBatch, RoutedDocumentsFillBlocksAndPoolTheirPrompts) {
  PackOptions options = pack_options(LossRows::kAll);
  const auto mode = testing::mode_of("ssa:local=128");
  options.sparse = mode.get();
  options.pool_rows = 2;
  const PackedBatch batch = pack(three_documents(), options);
  EXPECT_EQ(batch.tokens, 12);
  EXPECT_EQ(batch.longest, 128);
  EXPECT_EQ(batch.ids.numel(), 3 * 128);
  const Ints ids = ints_of(batch.ids), positions = ints_of(batch.positions);
  EXPECT_EQ(Ints(ids.begin() + 128, ids.begin() + 132), (Ints{20, 21, 22, 0}));
  EXPECT_EQ(ids.back(), 0);
  for (std::int64_t i = 0; i < 3 * 128; ++i) {
    EXPECT_EQ(positions[static_cast<std::size_t>(i)], i % 128);
    EXPECT_EQ(batch.document[i].item<std::int64_t>(), i / 128);
  }
  EXPECT_EQ(ints_of(batch.loss_rows), (Ints{0, 1, 2, 3, 128, 129, 256, 257, 258}));
  // The first two and the last two of prompts of 3, 2 and 4 tokens.
  EXPECT_EQ(ints_of(batch.pool_rows), (Ints{0, 1, 1, 2, 128, 129, 128, 129, 256, 257, 258, 259}));
  Floats weights(36, 0);
  for (std::size_t d = 0; d < 3; ++d) std::fill_n(weights.begin() + d * 12 + d * 4, 4, 0.25f);
  EXPECT_EQ(batch.pool_weights.sizes(), (Ints{3, 12}));
  EXPECT_EQ(floats_of(batch.pool_weights), weights);
  EXPECT_EQ(batch.layout->documents.q, (Ints{0, 128, 256, 384}));

  options.pool_rows = 0;
  const PackedBatch whole = pack(three_documents(), options);
  EXPECT_EQ(ints_of(whole.pool_rows), (Ints{0, 1, 2, 128, 129, 256, 257, 258, 259}));
  const float third = 1.0f / 3;
  EXPECT_EQ(floats_of(whole.pool_weights),
            (Floats{third, third, third, 0, 0, 0, 0, 0, 0, 0,    0,    0,    .5f, .5f,
                    0,     0,     0,     0, 0, 0, 0, 0, 0, .25f, .25f, .25f, .25f}));
  options.pool_rows = 1;
  EXPECT_EQ(ints_of(pack(three_documents(), options).pool_rows), (Ints{0, 2, 128, 129, 256, 259}));
}

TEST(TrainBatch, ErrorsNameDocumentAndNumbers) {
  const auto refused = [](auto change) -> std::string {
    auto documents = three_documents();
    change(documents);
    try {
      pack(documents, pack_options(LossRows::kAll));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused([](auto&) {}), "");
  EXPECT_EQ(refused([](auto& d) { d.clear(); }), "the training data gave an empty batch");
  EXPECT_EQ(refused([](auto& d) { d[1].ids = {5}; }),
            "training document 1: 1 tokens, expected at least 2");
  EXPECT_EQ(refused([](auto& d) { d[2].ids.resize(6); }),
            "training document 2: 6 tokens, the model takes 5");
  EXPECT_EQ(refused([](auto& d) { d[0].is_answer.resize(4); }),
            "training document 0: 4 answer marks for 5 tokens");
  EXPECT_EQ(refused([](auto& d) { d[0].prompt_tokens = 6; }),
            "training document 0: prompt of 6 tokens in a document of 5");
  EXPECT_EQ(refused([](auto& d) { d[0].prompt_tokens = 0; }),
            "training document 0: prompt of 0 tokens in a document of 5");
  EXPECT_EQ(refused([](auto& d) { d[0].prompt_tokens = 1; }), "");
  EXPECT_EQ(refused([](auto& d) { d[0].prompt_tokens = 5; }), "");
  EXPECT_EQ(refused([](auto& d) { d[1].task = 3; }),
            "training document 1: task 3, expected 0 .. 2");
  EXPECT_EQ(refused([](auto& d) { d[1].task = -1; }),
            "training document 1: task -1, expected 0 .. 2");
  EXPECT_EQ(refused([](auto& d) { d[1].task = 2; }), "");
  EXPECT_EQ(refused([](auto& d) { d[1].ids[1] = 34; }),
            "training document 1: token id 34 outside the vocabulary of 34");
  EXPECT_EQ(refused([](auto& d) { d[1].ids[1] = -1; }),
            "training document 1: token id -1 outside the vocabulary of 34");
  EXPECT_EQ(refused([](auto& d) { d[1].ids[1] = 0; }), "");
}

TEST(TrainLayout, WindowsGatherTheBlocksThatTheirRowsSee) {
  const auto mode = testing::mode_of("ssa:local=128");
  const LayoutPtr layout = make_layout({0, 512, 640}, {400, 128}, mode.get());
  for (const LayoutPtr& l : {layout, move_layout(layout, at::kCPU)}) {
    EXPECT_EQ(l->documents.q, (Ints{0, 512, 640}));
    EXPECT_EQ(l->documents.k, (Ints{0, 512, 640}));
    EXPECT_EQ(ints_of(l->documents.q_offsets), (Ints{0, 512, 640}));
    EXPECT_EQ(ints_of(l->documents.k_offsets), (Ints{0, 512, 640}));
    EXPECT_EQ(l->documents.q_offsets.scalar_type(), at::kInt);
    EXPECT_EQ(l->documents.max_q, 512);
    EXPECT_EQ(l->documents.max_k, 512);
    EXPECT_EQ(l->tokens, (Ints{400, 128}));
    ASSERT_EQ(l->chunks.size(), 1u);
    const BlockChunk& chunk = l->chunks[0];
    EXPECT_EQ(chunk.query_head, -1);
    EXPECT_EQ(chunk.first_row, 0);
    EXPECT_EQ(chunk.rows, 640);
    EXPECT_EQ(ints_of(chunk.key_blocks), (Ints{0, 0, 1, 0, 2, 0, 3, 4}));
    EXPECT_EQ(chunk.spans.q, (Ints{0, 128, 256, 384, 512, 640}));
    EXPECT_EQ(chunk.spans.k, (Ints{0, 128, 384, 640, 896, 1024}));
    EXPECT_EQ(ints_of(chunk.spans.k_offsets), chunk.spans.k);
    EXPECT_EQ(chunk.spans.max_q, 128);
    EXPECT_EQ(chunk.spans.max_k, 256);
  }
  const LayoutPtr bare = make_layout({0, 100, 700}, {100, 600}, nullptr);
  EXPECT_TRUE(bare->chunks.empty());
  EXPECT_EQ(bare->documents.max_q, 600);
  const at::Tensor none;
  EXPECT_THROW(sparse_attention(none, none, none, bare, *mode, 0, 1), std::logic_error);
  EXPECT_THROW(make_layout({0, 128, 200}, {128, 72}, mode.get()), std::logic_error);
  const auto estimates = testing::mode_of("xa");
  EXPECT_TRUE(make_layout({0, 512}, {500}, estimates.get())->chunks.empty()) << "not known yet";
}

TEST(TrainLayout, LongStreamsAreTakenInPieces) {
  const auto mode = testing::mode_of("ssa:sink=0,local=128");
  const LayoutPtr layout = make_layout({0, 16384, 16384 + 384}, {16384, 384}, mode.get());
  ASSERT_EQ(layout->chunks.size(), 2u);
  EXPECT_EQ(layout->chunks[0].rows, 16384);
  EXPECT_EQ(layout->chunks[1].first_row, 16384);
  EXPECT_EQ(layout->chunks[1].rows, 384);
  EXPECT_EQ(ints_of(layout->chunks[1].key_blocks), (Ints{128, 129, 130}));
  EXPECT_EQ(make_layout({0, 16384}, {16384}, mode.get())->chunks.size(), 1u);
}

TEST(TrainLayout, KilotokensAreDocumentsOfOneLength) {
  const auto spans = [](const Ints& offsets) {
    return make_layout(offsets, {}, nullptr)->documents;
  };
  EXPECT_TRUE(are_kilotokens(spans({0, 1024})));
  EXPECT_TRUE(are_kilotokens(spans({0, 2048, 4096, 6144})));
  EXPECT_FALSE(are_kilotokens(spans({0, 2048, 3072})));
  EXPECT_FALSE(are_kilotokens(spans({0, 1025, 2050})));
  EXPECT_FALSE(are_kilotokens(spans({0, 1000, 2000})));
  Spans others = spans({0, 1024, 2048});
  others.k = {0, 1024, 3072};
  EXPECT_FALSE(are_kilotokens(others));
}

// Seeds as this file computes them: the mix of all parts, in order.
std::uint64_t mixed(const std::vector<std::uint64_t>& parts) {
  std::uint64_t seed = 0;
  for (const std::uint64_t part : parts) {
    const std::uint64_t own = splitmix(part + 0x9E3779B97F4A7C15u);
    seed = splitmix(seed + 0x9E3779B97F4A7C15u + own);
  }
  return seed;
}

TEST(TrainNoise, IsAFunctionOfSeedAndPlace) {
  EXPECT_EQ(mix_seed({3}), mixed({3}));
  EXPECT_EQ(mix_seed({3, 0, 7}), mixed({3, 0, 7}));
  const PlacedRandom random(77);
  double sum = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t bits = splitmix(77 + (i + 1) * 0x9E3779B97F4A7C15u) >> 40;
    EXPECT_EQ(random.uniform(i), static_cast<double>(bits) / 16777216.0);
    sum += random.uniform(i);
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
  const at::Tensor noise = gumbel_noise({40, 100}, 77);  // enough for both ends of (0, 1)
  const Floats values = floats_of(noise);
  ASSERT_EQ(values.size(), 4000u);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double u = random.uniform(i);
    EXPECT_EQ(values[i], static_cast<float>(-std::log(-std::log(u + 1e-8) + 1e-8)));
  }
}

struct Drawn {
  std::mutex mutex;
  std::vector<BatchPosition> places;

  BatchPosition at(int i) {
    const std::lock_guard lock(mutex);
    return places.at(static_cast<std::size_t>(i));
  }
};

BatchSource noting_source(Drawn& drawn) {
  BatchSource source;
  source.draw = [&drawn](const BatchPosition& at) {
    const std::lock_guard lock(drawn.mutex);
    drawn.places.push_back(at);
    return testing::made_documents({40, 30}, 1, static_cast<std::uint64_t>(at.step));
  };
  return source;
}

FeedOptions feed_options(int micro_steps, int rank, int world, int at_once) {
  FeedOptions options;
  options.pack = pack_options(LossRows::kMix);
  options.pack.max_positions = 100, options.pack.vocab = 61;
  options.pack.loss.other_share = 0.5;
  options.seed = 5, options.steps = 4;
  options.micro_steps = micro_steps, options.rank = rank, options.world = world;
  options.at_once = at_once;
  options.layers = 2, options.heads_kv = 3;
  return options;
}

TEST(TrainFeed, BatchesComeInTheOrderOfTheSteps) {
  Drawn drawn;
  const BatchSource source = noting_source(drawn);
  BatchFeed feed(source, feed_options(2, 1, 3, 1), 2);
  for (int i = 0; i < 4; ++i) {
    feed.wait();
    const FedBatch fed = feed.next();
    const BatchPosition at = drawn.at(i);
    EXPECT_EQ(at.step, 2 + i / 2);
    EXPECT_EQ(at.micro_step, i % 2);
    EXPECT_EQ(at.micro_steps, 2);
    EXPECT_EQ(at.rank, 1);
    EXPECT_EQ(at.world, 3);
    EXPECT_EQ(at.progress, (2 + i / 2) / 4.0);
    const std::uint64_t seed = mixed(
        {5, static_cast<std::uint64_t>(2 + i / 2), static_cast<std::uint64_t>(i % 2 * 3 + 1)});
    EXPECT_TRUE(fed.noise.equal(gumbel_noise({2, 2, 3, 2}, mixed({seed, 5}))));
    PackOptions same = feed_options(2, 1, 3, 1).pack;
    same.seed = mixed({seed, 4});
    const auto documents =
        testing::made_documents({40, 30}, 1, static_cast<std::uint64_t>(at.step));
    EXPECT_EQ(ints_of(fed.batch.loss_rows), ints_of(pack(documents, same).loss_rows));
  }
  EXPECT_THROW(feed.wait(), std::logic_error) << "the steps are over";
  EXPECT_THROW(feed.next(), std::logic_error);
  EXPECT_EQ(drawn.places.size(), 4u);
}

TEST(TrainFeed, AsManyAreDrawnAheadAsAskedFor) {
  for (const int at_once : {1, 3}) {
    Drawn drawn;
    const BatchSource source = noting_source(drawn);
    {
      BatchFeed feed(source, feed_options(1, 0, 1, at_once), 0);
      feed.next();
    }  // its drawing threads end with it
    EXPECT_EQ(drawn.places.size(), static_cast<std::size_t>(at_once + 1));
  }
  Drawn drawn;
  const BatchSource source = noting_source(drawn);
  FeedOptions bare = feed_options(1, 0, 1, 1);
  bare.layers = 0;
  EXPECT_FALSE(BatchFeed(source, bare, 0).next().noise.defined());
  bare.layers = 1;
  EXPECT_TRUE(BatchFeed(source, bare, 0).next().noise.defined());
}

}  // namespace
}  // namespace elastic::engine
