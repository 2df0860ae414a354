// `bench tokenizer`: MB/s of one thread over one text, the result checked before anything is timed.
// Peers' figures come from a JSON file that another program wrote about the same text
// (tests/bench/tokenizer_peer.py does so, in turns with this command):
//   {"peers": [{"name": "tokenizers 0.23", "mb_per_s": 1.7, "ids_sha256": "..."}]}

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/tokenizer.h"
#include "harness/bench/bench_command.h"
#include "harness/bench/repetitions.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

using engine::Tokenizer;

constexpr const char* kFirstCall = "encode, first call";

struct BenchTokenizerOptions {
  std::string model;
  std::string file;  // empty: a text made here
  std::string peers;
  BenchFlags flags{.repetitions = 9};
};

struct Row {
  std::string operation;
  double median = 0, low = 0, high = 0;  // MB/s of text (1 MB = 10^6 bytes)
  std::vector<double> rates;             // of every repetition
};

// About 1 MB of invented words, frequent ones more often, with sentences and numbers.
std::string built_in_text() {
  constexpr std::array kSyllables = {"ka", "lo",  "mi",  "ren", "to", "sha", "vel", "ur",
                                     "an", "dis", "ing", "pe",  "or", "est", "ly",  "qui"};
  std::uint64_t state = 42;
  const auto draw = [&](std::uint64_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
  };
  std::vector<std::string> words(4000);
  for (std::string& word : words) {
    for (std::uint64_t n = 1 + draw(4); n > 0; --n) word += kSyllables[draw(kSyllables.size())];
  }
  std::string text;
  while (text.size() < 1'000'000) {
    const std::uint64_t rank = draw(words.size()) * draw(words.size()) / words.size();
    text += words[rank];
    const std::uint64_t end = draw(24);
    text += end == 0 ? ".\n" : end == 1 ? ", " : end == 2 ? fmt::format(" {} ", draw(10000)) : " ";
  }
  return text;
}

// Decoding gives the text back, or, where a normalizer or a small vocabulary changed it, a text
// with the same ids.
std::string check_round_trip(const Tokenizer& tokenizer, const std::string& text,
                             const std::vector<std::int32_t>& ids) {
  const std::string decoded = tokenizer.decode(ids, {.clean_up_spaces = false});
  if (decoded == text) return "text";
  if (tokenizer.encode(decoded, false) == ids) return "ids";
  throw Error(ErrorKind::kMeasurement, fmt::format("measurement INVALID: {}: decoding {} ids gives "
                                                   "neither the text nor one with the same ids",
                                                   tokenizer.source(), ids.size()));
}

Row measure(std::string operation, int repetitions, std::size_t bytes,
            const std::function<double()>& seconds_once) {
  std::vector<double> rates;
  rates.reserve(static_cast<std::size_t>(repetitions));
  for (int i = 0; i < repetitions; ++i) {
    rates.push_back(static_cast<double>(bytes) / 1e6 / seconds_once());
  }
  std::sort(rates.begin(), rates.end());
  return {std::move(operation), runs::median(rates), rates.front(), rates.back(), rates};
}

// The result is used, so that no compiler drops the work.
double timed(const std::function<std::size_t()>& work, std::size_t expected) {
  const Stopwatch watch;
  const std::size_t result = work();
  const double seconds = watch.seconds();
  if (result != expected) {
    throw Error(ErrorKind::kMeasurement, "measurement INVALID: a repetition gave another result");
  }
  return seconds;
}

std::vector<Row> measure_all(const BenchTokenizerOptions& options, const Tokenizer& tokenizer,
                             const std::string& text, const std::vector<std::int32_t>& ids) {
  const std::size_t decoded_size = tokenizer.decode(ids, {.clean_up_spaces = false}).size();
  std::vector<Row> rows;
  rows.push_back(measure(kFirstCall, std::min(options.flags.repetitions, 3), text.size(), [&] {
    const Tokenizer fresh =
        Tokenizer::load(tokenizer_path(options.model));  // nothing remembered yet
    fresh.encode("warm", false);
    return timed([&] { return fresh.encode(text, false).size(); }, ids.size());
  }));
  rows.push_back(measure("encode", options.flags.repetitions, text.size(), [&] {
    return timed([&] { return tokenizer.encode(text, false).size(); }, ids.size());
  }));
  rows.push_back(measure("count", options.flags.repetitions, text.size(), [&] {
    return timed([&] { return static_cast<std::size_t>(tokenizer.count(text)); }, ids.size());
  }));
  rows.push_back(measure("decode", options.flags.repetitions, text.size(), [&] {
    return timed([&] { return tokenizer.decode(ids, {.clean_up_spaces = false}).size(); },
                 decoded_size);
  }));
  return rows;
}

// Adds the ratio to each peer; a peer with other ids is no peer.
Json compare_peers(const std::string& path, double ours, const std::string& ids_sha256) {
  Json peers = Json::array();
  if (path.empty()) return peers;
  const Json file = read_json(path);
  const auto list = file.is_object() ? file.find("peers") : file.end();
  if (list == file.end() || !list->is_array()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `peers` must be a list", path));
  }
  for (const Json& entry : *list) {
    const JsonSource in{entry, path};
    const auto name = json_get<std::string>(in, "name");
    const auto rate = json_get<double>(in, "mb_per_s");
    const auto sha256 = json_get_or<std::string>(in, "ids_sha256", "");
    if (!(rate > 0)) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}: `mb_per_s` must be > 0", path, name));
    }
    if (!sha256.empty() && sha256 != ids_sha256) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: {} gives other ids (sha256 {}, here {})",
                                                   path, name, sha256, ids_sha256));
    }
    peers.push_back({{"name", name},
                     {"mb_per_s", rate},
                     {"same_ids", sha256.empty() ? Json(nullptr) : Json(true)},
                     {"ratio", ours / rate}});
  }
  return peers;
}

void print_markdown(const Json& result) {
  fmt::print("{}: {} bytes, {} tokens, one thread; decoding gives back the {}\n\n",
             result["tokenizer"].get<std::string>(), result["bytes"].get<std::int64_t>(),
             result["tokens"].get<std::int64_t>(), result["round_trip"].get<std::string>());
  fmt::print("| operation | MB/s, median | min | max |\n|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    fmt::print("| {} | {:.1f} | {:.1f} | {:.1f} |\n", row["operation"].get<std::string>(),
               row["mb_per_s"].get<double>(), row["min"].get<double>(), row["max"].get<double>());
  }
  if (result["peers"].empty()) return;
  fmt::print("\n| peer | MB/s | encode here / peer |\n|---|---|---|\n");
  for (const Json& peer : result["peers"]) {
    fmt::print("| {} | {:.2f} | {:.1f} |\n", peer["name"].get<std::string>(),
               peer["mb_per_s"].get<double>(), peer["ratio"].get<double>());
  }
}

void print_rows(const Json& result) {
  fmt::print("name,operation,mb_per_s,min,max,bytes,tokens\n");
  const auto line = [&](std::string_view name, std::string_view operation,
                        const std::string& rates) {
    fmt::print("{},{},{},{},{}\n", name, operation, rates, result["bytes"].get<std::int64_t>(),
               result["tokens"].get<std::int64_t>());
  };
  for (const Json& row : result["rows"]) {
    const std::string operation = row["operation"];
    line("elastic-bench", '"' + operation + '"',
         fmt::format("{:.3f},{:.3f},{:.3f}", row["mb_per_s"].get<double>(),
                     row["min"].get<double>(), row["max"].get<double>()));
  }
  for (const Json& peer : result["peers"]) {
    line('"' + peer["name"].get<std::string>() + '"', "encode",
         fmt::format("{:.3f},,", peer["mb_per_s"].get<double>()));
  }
}

int bench_tokenizer(const BenchTokenizerOptions& options) {
  const std::string text = options.file.empty() ? built_in_text() : read_file(options.file);
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_path(options.model));
  const std::vector<std::int32_t> ids = tokenizer.encode(text, false);
  if (ids.empty()) throw Error(ErrorKind::kInvalidArgument, "the text has no tokens to time");
  Json result = {{"tokenizer", tokenizer.source()},
                 {"text", options.file.empty() ? "built-in" : options.file},
                 {"bytes", text.size()},
                 {"tokens", ids.size()},
                 {"threads", 1},
                 {"repetitions", options.flags.repetitions},
                 {"ids_sha256", sha256_ids(ids)},
                 {"round_trip", check_round_trip(tokenizer, text, ids)},
                 {"rows", Json::array()}};
  double encode_rate = 0;
  Faults faults;
  for (const Row& row : measure_all(options, tokenizer, text, ids)) {
    if (row.operation == "encode") encode_rate = row.median;
    if (row.operation != kFirstCall) {  // repeated three times, since each loads the tokenizer
      check_interval(options.flags, row.operation, row.rates, result, faults);
    }
    result["rows"].push_back({{"operation", row.operation},
                              {"mb_per_s", row.median},
                              {"min", row.low},
                              {"max", row.high}});
  }
  result["peers"] =
      compare_peers(options.peers, encode_rate, result["ids_sha256"].get<std::string>());
  return print_result("tokenizer", std::move(result), faults, options.flags, print_rows,
                      print_markdown);
}

}  // namespace

void add_bench_tokenizer(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchTokenizerOptions>();
  CLI::App& sub = *bench.add_subcommand("tokenizer", "MB/s of encoding, counting and decoding");
  sub.add_option("-m,--model", options->model, kModelHelp)->required();
  sub.add_option("--file", options->file, "Text to encode (default: one made here)")
      ->check(input_file());
  sub.add_option("--peers", options->peers, "JSON file with other programs' figures for this text")
      ->check(input_file());
  sub.add_option("-r,--repetitions", options->flags.repetitions, "Timed calls")
      ->transform(whole_number(1, kMostRepetitions))
      ->capture_default_str();
  add_format_flag(sub, options->flags);
  add_interval_flag(sub, options->flags);
  sub.callback([options, &exit_code] { exit_code = bench_tokenizer(*options); });
}

}  // namespace elastic::harness
