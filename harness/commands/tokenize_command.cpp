// `tokenize`: JSON lines with texts in, JSON lines with ids out, or the other way round; line for
// line.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/api/token_ids.h"
#include "engine/api/tokenizer.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"

namespace elastic::harness {
namespace {

struct TokenizeOptions {
  std::string model;
  std::string input = "-";  // JSONL file, - is standard input
  bool decode = false;
  bool no_special = false;
  bool clean_up = false;
};

Json encode_line(const engine::Tokenizer& tokenizer, const Json& line, const std::string& where,
                 bool add_special) {
  const auto text = json_get<std::string>({line, where}, "text");
  return Json{{"ids", tokenizer.encode(text, add_special)}};
}

void convert_lines(const TokenizeOptions& options, std::istream& in, const std::string& name) {
  const engine::Tokenizer tokenizer = engine::Tokenizer::load(tokenizer_path(options.model));
  engine::DecodeOptions decoding{.skip_special = options.no_special};
  if (options.clean_up) decoding.clean_up_spaces = true;
  std::size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    const std::string where = fmt::format("line {} of {}", ++number, name);
    const Json line = parse_json(text, where);
    if (!line.is_object()) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: is not a JSON object", where));
    }
    const Json out =
        options.decode ? Json{{"text", tokenizer.decode(
                                           engine::ids_of_line(line, where, tokenizer.vocab_size()),
                                           decoding)}}
                       : encode_line(tokenizer, line, where, !options.no_special);
    std::cout << dump_line(out) << '\n';
  }
  if (in.bad()) throw Error(ErrorKind::kIo, fmt::format("{}: reading failed", name));
  if (!std::cout.flush()) throw Error(ErrorKind::kIo, "standard output: writing failed");
}

void tokenize(const TokenizeOptions& options) {
  if (options.clean_up && !options.decode) {
    throw Error(ErrorKind::kInvalidArgument, "--clean-up goes with --decode");
  }
  if (options.input == "-") return convert_lines(options, std::cin, "standard input");
  std::ifstream file = open_binary(options.input);
  convert_lines(options, file, options.input);
}

}  // namespace

void add_tokenize(CLI::App& sub, int&) {
  const auto options = std::make_shared<TokenizeOptions>();
  sub.add_option("-m,--model", options->model, kModelHelp)->required();
  sub.add_option("input", options->input, "JSONL file; - is standard input")
      ->check(input_file())
      ->capture_default_str();
  sub.add_flag("--decode", options->decode, "Ids to text");
  sub.add_flag("--no-special", options->no_special,
               "Encoding: without the tokenizer's own additions; decoding: drop special tokens");
  sub.add_flag(
      "--clean-up", options->clean_up,
      "Decoding: remove the spaces before punctuation, whatever tokenizer_config.json says");
  sub.callback([options] { tokenize(*options); });
}

}  // namespace elastic::harness
