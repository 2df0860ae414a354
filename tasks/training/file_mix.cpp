#include "tasks/training/file_mix.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "tasks/training/file_row.h"
#include "tasks/training/mix_random.h"

namespace elastic::tasks {
namespace {

constexpr double kMostTokens = 1 << 24;

struct Row {
  std::string_view line;  // within a mapped file
  std::size_t file = 0;
  std::int64_t number = 0;  // of the line, from 1
  std::int64_t tokens = 0;
};

// Rows that fit into one batch together: [first, end) of the rows in ascending length.
struct Pack {
  std::size_t first = 0, end = 0;
};

struct FileMix {
  FileOptions options;
  const engine::Tokenizer& tokenizer;
  std::vector<MappedFile> files;
  std::vector<Row> rows;
  std::vector<Pack> packs;

  std::vector<engine::TrainingDocument> read(const Row& row) const {
    const std::string where = fmt::format("{}, line {}", options.files[row.file], row.number);
    return read_row(parse_json(row.line, where), where, options, tokenizer);
  }
};

// Every row is read once for its length in tokens, which takes minutes for a large set.
void find_rows(FileMix& mix, std::size_t file, Progress& progress) {
  const auto bytes = mix.files[file].bytes();
  if (bytes.empty()) return;  // no line, where split() would find an empty one
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::int64_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    stop_if_interrupted();
    progress.advance(static_cast<double>(line.size()), "");
    line = strip(line);
    if (line.empty()) continue;
    Row row{.line = line, .file = file, .number = number};
    for (const auto& document : mix.read(row)) {
      row.tokens += static_cast<std::int64_t>(document.ids.size());
    }
    if (row.tokens >= mix.options.min_tokens) mix.rows.push_back(row);
  }
}

// Rows by length, packed greedily in that order: documents of a batch are of like length.
void make_packs(FileMix& mix) {
  std::stable_sort(mix.rows.begin(), mix.rows.end(),
                   [](const Row& a, const Row& b) { return a.tokens < b.tokens; });
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < mix.rows.size(); ++i) {
    tokens += mix.rows[i].tokens;
    if (mix.packs.empty() || tokens > mix.options.tokens_per_batch) {
      mix.packs.push_back({.first = i, .end = i});
      tokens = mix.rows[i].tokens;
    }
    mix.packs.back().end = i + 1;
  }
}

// The n-th pack of an endless sequence: every pack once an epoch, in an order of the epoch's own.
const Pack& pack_at(const FileMix& mix, std::uint64_t n) {
  std::vector<std::size_t> order(mix.packs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  MixRandom random(MixRandom::combine(mix.options.seed, n / order.size()));
  random.shuffle(order);
  return mix.packs[order[n % order.size()]];
}

std::vector<engine::TrainingDocument> draw_pack(const FileMix& mix,
                                                const engine::BatchPosition& position) {
  const auto step = static_cast<std::uint64_t>(position.step);
  const auto world = static_cast<std::uint64_t>(position.world);
  const std::uint64_t n = (step * static_cast<std::uint64_t>(position.micro_steps) +
                           static_cast<std::uint64_t>(position.micro_step)) *
                              world +
                          static_cast<std::uint64_t>(position.rank);
  const Pack& pack = pack_at(mix, n);
  std::vector<engine::TrainingDocument> documents;
  for (std::size_t i = pack.first; i < pack.end; ++i) {
    for (auto& document : mix.read(mix.rows[i])) documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace

FileOptions read_file_options(ConfigKeys& keys) {
  FileOptions options;
  options.files = keys.texts("files");
  if (options.files.empty()) {
    throw Error(ErrorKind::kInvalidArgument, keys.place() + ": key `files` names no file");
  }
  options.seed = static_cast<std::uint64_t>(keys.whole("seed", 1, {.least = 0}));
  options.tokens_per_batch =
      keys.whole("tokens_per_batch", options.tokens_per_batch, {.least = 1, .most = kMostTokens});
  options.min_tokens = keys.whole("min_tokens", 0, {.least = 0, .most = kMostTokens});
  options.text = keys.text("text", options.text);
  const std::size_t prompt = options.text.find("{prompt}");
  const std::size_t answer = options.text.find("{answer}");
  if (answer == std::string::npos || prompt > answer) {
    keys.refuse("text", "a text with {prompt} and, behind it, {answer}");
  }
  options.end = keys.text("end", options.end);
  const KeyRange share{.least = 0, .most = 1};
  const double sensitive = keys.number("target_sensitive", .7, share);
  const double robust = keys.number("target_robust", 1, share);
  options.tasks = {{"Single QA", sensitive},
                   {"MultiHop QA", sensitive},
                   {"Summarization", robust},
                   {"Code", robust},
                   {"In-Context Learning", robust}};
  for (const auto& [name, target] : keys.named_numbers("targets", share)) {
    const auto it = std::find_if(options.tasks.begin(), options.tasks.end(),
                                 [&name = name](const auto& task) { return task.name == name; });
    if (it == options.tasks.end()) {
      options.tasks.push_back({name, target});
    } else {
      it->target_sparsity = target;
    }
  }
  const std::string data_dir = keys.text("data_dir", "");
  options.wrappings = task_wrappings(keys.text("prompts", std::string(kBuiltinPrompts)),
                                     datasets::data_folder(data_dir));
  keys.done();
  return options;
}

engine::BatchSource make_file_mix(const FileOptions& options, const engine::Tokenizer& tokenizer) {
  auto mix = std::make_shared<FileMix>(
      FileMix{.options = options, .tokenizer = tokenizer, .files = {}, .rows = {}, .packs = {}});
  std::int64_t lines = 0;
  double bytes = 0;
  for (const auto& file : options.files) {
    const auto text = mix->files.emplace_back(file).bytes();
    lines += std::count(text.begin(), text.end(), std::uint8_t{'\n'});
    if (!text.empty() && text.back() != std::uint8_t{'\n'}) ++lines;
    bytes += static_cast<double>(text.size());
  }
  Progress progress("lines of training data", lines, bytes);
  for (std::size_t i = 0; i < options.files.size(); ++i) find_rows(*mix, i, progress);
  if (mix->rows.empty()) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: no document of at least {} tokens; give files with documents or "
                            "lower `min_tokens`",
                            options.files.front(), options.min_tokens));
  }
  make_packs(*mix);
  engine::BatchSource source;
  source.tasks = options.tasks;
  source.draw = [mix = std::shared_ptr<const FileMix>(mix)](const engine::BatchPosition& position) {
    return draw_pack(*mix, position);
  };
  return source;
}

}  // namespace elastic::tasks
