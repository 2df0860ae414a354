// The stored expectations of what RULER's generators stand on: random streams, word pools,
// constants, sentences, Unicode.

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/python_random.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "datasets/haystack.h"
#include "datasets/word_lists.h"
#include "tasks/ruler/generation.h"
#include "tasks/ruler/punkt.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;
using testing::data_path;
using testing::expect_all_ran;

// The file in golden/ruler; empty where it or the folder is absent.
fs::path golden_file(const std::string& name) { return testing::golden_folder("ruler/" + name); }

template <typename T>
std::string csv(const std::vector<T>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

// Little-endian 32-bit words of a decimal number's absolute value, by long division.
std::vector<std::uint32_t> seed_words(std::string digits) {
  if (digits.starts_with('-')) digits.erase(0, 1);
  std::vector<std::uint32_t> words;
  while (digits != "0") {
    std::uint64_t rest = 0;
    std::string quotient;
    for (const char digit : digits) {
      rest = rest * 10 + static_cast<std::uint64_t>(digit - '0');
      if (const std::uint64_t part = rest >> 32; !quotient.empty() || part != 0) {
        quotient += static_cast<char>('0' + part);
      }
      rest &= 0xffffffffU;
    }
    words.push_back(static_cast<std::uint32_t>(rest));
    digits = quotient.empty() ? "0" : quotient;
  }
  if (words.empty()) words.push_back(0);
  return words;
}

std::string decimal(std::vector<std::uint32_t> words) {
  std::string digits;
  while (!words.empty()) {
    std::uint64_t rest = 0;
    for (auto word = words.rbegin(); word != words.rend(); ++word) {
      const std::uint64_t value = rest << 32 | *word;
      *word = static_cast<std::uint32_t>(value / 10);
      rest = value % 10;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + rest));
    while (!words.empty() && words.back() == 0) words.pop_back();
  }
  return digits.empty() ? "0" : digits;
}

// getrandbits() of any count, as little-endian words.
std::vector<std::uint32_t> wide_bits(PythonRandom& random, int count) {
  std::vector<std::uint32_t> words;
  for (; count > 0; count -= 32) {
    words.push_back(static_cast<std::uint32_t>(random.bits(std::min(count, 32))));
  }
  return words;
}

// The checks return how many keys of the block they compare.
std::size_t check_streams(const Json& block) {
  const auto seed = block["seed"].get<std::uint64_t>();
  const auto fresh = [seed] { return PythonRandom(seed); };
  PythonRandom doubles = fresh();
  for (const Json& hex : block["random_hex"]) {
    EXPECT_EQ(doubles.random(), std::strtod(hex.get<std::string>().c_str(), nullptr)) << seed;
  }
  PythonRandom bits = fresh();
  for (const Json& row : block["getrandbits"]) {
    EXPECT_EQ(decimal(wide_bits(bits, row[0].get<int>())), row[1].get<std::string>()) << seed;
  }
  PythonRandom words = fresh();
  for (const Json& word : block["genrand_uint32"]) {
    EXPECT_EQ(words.bits(32), word.get<std::uint64_t>());
  }
  PythonRandom below = fresh();
  for (const Json& row : block["randbelow_chain"]) {
    EXPECT_EQ(below.below(row[0].get<std::uint64_t>()), row[1].get<std::uint64_t>());
  }
  PythonRandom numbers = fresh(), choice = fresh(), upper = fresh(), lower = fresh(),
               uuid = fresh();
  for (const Json& n : block["randint_7digit"]) {
    EXPECT_EQ(numbers.randint(1000000, 9999999), n.get<std::uint64_t>());
  }
  for (const Json& n : block["choice_index_of_6185000"]) {
    EXPECT_EQ(choice.below(6185000), n.get<std::uint64_t>());
  }
  for (const Json& name : block["choices_upper_k5"]) {
    EXPECT_EQ(upper.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 5), name.get<std::string>());
  }
  for (const Json& name : block["choices_lower_k6"]) {
    EXPECT_EQ(lower.choices("abcdefghijklmnopqrstuvwxyz", 6), name.get<std::string>());
  }
  for (const Json& id : block["uuid4"]) EXPECT_EQ(uuid.uuid4(), id.get<std::string>());
  return 9;
}

std::vector<std::uint64_t> shuffled(std::uint64_t seed, std::size_t size) {
  std::vector<std::uint64_t> items(size);
  for (std::size_t i = 0; i < size; ++i) items[i] = i;
  PythonRandom(seed).shuffle(items);
  return items;
}

std::size_t check_sequences(const Json& block) {
  const auto seed = block["seed"].get<std::uint64_t>();
  for (const auto& [size, order] : block["shuffle_range_n"].items()) {
    EXPECT_EQ(shuffled(seed, static_cast<std::size_t>(*parse_int(size))),
              order.get<std::vector<std::uint64_t>>());
  }
  EXPECT_EQ(sha256_hex(csv(shuffled(seed, 20000))), block["shuffle_range_20000_sha256_of_csv"]);
  PythonRandom chain(seed);
  for (const Json& row : block["sample_chain_one_stream"]) {
    EXPECT_EQ(chain.sample(row[0].get<std::size_t>(), row[1].get<std::int64_t>()),
              row[2].get<std::vector<std::size_t>>());
  }
  EXPECT_EQ(sha256_hex(csv(PythonRandom(seed).sample(8000, 2500))),
            block["sample_8000_2500_sha256_of_csv"]);
  EXPECT_EQ(sha256_hex(csv(PythonRandom(seed).sample(370101, 9000))),
            block["sample_370101_9000_sha256_of_csv"]);
  NumpyRandom numpy(static_cast<std::uint32_t>(seed)), raw(static_cast<std::uint32_t>(seed));
  for (const Json& n : block["numpy_randint_10000_99999"]) {
    EXPECT_EQ(numpy.randint(10000, 99999), n.get<std::int64_t>());
  }
  for (const Json& n : block["numpy_uint32"]) EXPECT_EQ(raw.bits(), n.get<std::uint32_t>());
  return 7;
}

// One stream through every kind of draw.
std::size_t check_mixture(const Json& block) {
  PythonRandom random(block["seed"].get<std::uint64_t>());
  for (const Json& row : block["mixed_one_stream"]) {
    EXPECT_EQ(random.below(6185000), row[0].get<std::uint64_t>());
    EXPECT_EQ(random.randint(1000000, 9999999), row[1].get<std::uint64_t>());
    EXPECT_EQ(random.sample(40, 4), row[2].get<std::vector<std::size_t>>());
    EXPECT_EQ(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 3), row[3].get<std::string>());
    EXPECT_EQ(random.random(), row[4].get<double>());
    EXPECT_EQ(decimal(wide_bits(random, 128)), row[5].get<std::string>());
    EXPECT_EQ(random.sample(4, 1), row[6].get<std::vector<std::size_t>>());
  }
  return 1;
}

TEST(Golden_ruler, random_streams) {
  const fs::path file = golden_file("rng_cpython_numpy.json");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  std::size_t ran = 0, keys = 0;
  const Json stored = read_json(file);
  for (const Json& block : stored["blocks"]) {
    ran += check_streams(block) + check_sequences(block) + check_mixture(block);
    keys += block.size() - 2;  // but for the seed, and the doubles as decimals
    for (const auto& [key, value] : block.items()) {
      EXPECT_FALSE(value.is_array() && value.empty()) << key;
    }
  }
  expect_all_ran(ran, keys);
}

TEST(Golden_ruler, seeds_of_several_words) {
  const fs::path file = golden_file("rng_big_seeds.json");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  std::size_t ran = 0;
  const Json stored = read_json(file);
  for (const Json& block : stored["blocks"]) {
    EXPECT_FALSE(block["random_hex"].empty());
    PythonRandom random(seed_words(block["seed"].get<std::string>()));
    for (const Json& hex : block["random_hex"]) {
      EXPECT_EQ(random.random(), std::strtod(hex.get<std::string>().c_str(), nullptr));
    }
    ++ran;
  }
  expect_all_ran(ran, stored["blocks"].size());
}

TEST(Golden_ruler, word_pools) {
  const fs::path file = golden_file("wordlists.json");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  std::size_t ran = 0, absent = 0;
  const Json stored = read_json(file);
  for (const auto& [version, expected] : stored.items()) {
    const fs::path folder = data_path("ruler/wonderwords-" + version);
    if (folder.empty()) {
      ++absent;
      continue;
    }
    const datasets::WordLists lists = datasets::load_word_lists(folder);
    const datasets::KeyPool keys(lists.adjectives, lists.nouns);
    const Json& pool = expected["adj_noun_sorted_unique"];
    ASSERT_EQ(keys.size(), pool["count"].get<std::uint64_t>());
    Sha256 hash;
    for (std::uint64_t i = 0; i < keys.size(); ++i) hash.update(i > 0 ? "\n" : "").update(keys[i]);
    EXPECT_EQ(hash.hex(), pool["sha256_of_lf_joined_utf8"].get<std::string>()) << version;
    std::vector<std::string> words = datasets::all_words(lists);
    const Json& cwe = expected["cwe_sorted_unique"];
    EXPECT_EQ(sha256_hex(join(words, "\n")), cwe["sha256_of_lf_joined_utf8"].get<std::string>());
    for (const auto& [seed, shuffle] : expected["cwe_shuffled"].items()) {
      std::vector<std::string> order = words;
      PythonRandom(static_cast<std::uint64_t>(*parse_int(seed))).shuffle(order);
      EXPECT_EQ(sha256_hex(join(order, "\n")),
                shuffle["sha256_of_lf_joined_utf8"].get<std::string>());
    }
    ++ran;
  }
  expect_all_ran(ran, stored.size(), absent);
}

TEST(Golden_ruler, frequencies) {
  const fs::path file = golden_file("numeric_constants.json");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  std::size_t ran = 0;
  const Json constants = read_json(file);
  for (const Json& row : constants["fwe_counts"]) {
    std::vector<std::int64_t> counts;
    for (std::int64_t rank = 1; rank <= row["vocab"].get<std::int64_t>(); ++rank) {
      counts.push_back(zipf_count(row["num_words"].get<std::int64_t>(), rank));
    }
    EXPECT_EQ(sha256_hex(csv(counts)), row["sha256_of_csv"].get<std::string>());
    ++ran;
  }
  expect_all_ran(ran, constants["fwe_counts"].size());
}

TEST(Golden_ruler, sentences) {
  const fs::path file = golden_file("punkt_cases.jsonl");
  const fs::path model = data_path("ruler/punkt_tab_english");
  if (file.empty() || model.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  const PunktParameters parameters = load_punkt(model);
  std::size_t ran = 0;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const Json row = parse_json(line, file.string());
    const auto text = row["text"].get<std::string>();
    std::vector<std::string> sentences;
    for (const auto sentence : punkt_sentences(parameters, text)) sentences.emplace_back(sentence);
    EXPECT_EQ(sentences, row["sentences"].get<std::vector<std::string>>()) << text;
    ++ran;
  }
  expect_all_ran(ran, testing::stored_lines(file));
}

TEST(Golden_ruler, sentences_of_essays) {
  const fs::path file = golden_file("punkt_essays.json");
  const fs::path model = data_path("ruler/punkt_tab_english");
  if (file.empty() || model.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  const PunktParameters parameters = load_punkt(model);
  std::size_t ran = 0, absent = 0;
  const Json stored = read_json(file);
  for (const auto& [name, expected] : stored.items()) {
    const fs::path source = data_path("ruler/" + name);
    if (source.empty()) {
      ++absent;
      continue;
    }
    const datasets::Haystack essays = datasets::load_essays(source);
    const PrefixSentences all(parameters, essays.prefix(essays.word_count()));
    EXPECT_EQ(essays.word_count(), expected["words"].get<std::int64_t>());
    for (const auto& [key, value] : expected.items()) {
      if (!key.starts_with("first_")) continue;
      const std::string_view rest = std::string_view(key).substr(6);
      const std::int64_t words = *parse_int(rest.substr(0, rest.find('_')));
      std::string joined;
      for (const auto sentence : all.sentences(essays.prefix(words).size())) {
        if (!joined.empty()) joined += '\n';
        joined += sentence;
      }
      EXPECT_EQ(sha256_hex(joined), value["sha256_of_lf_joined_utf8"].get<std::string>()) << key;
    }
    ++ran;
  }
  expect_all_ran(ran, stored.size(), absent);
}

char32_t code_point(const std::string& hex) {
  std::uint32_t value = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  return value;
}

TEST(Golden_ruler, unicode) {
  const fs::path file = golden_file("unicode_lower_space.json");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  const Json golden = read_json(file);
  const Json& lower = golden["lower"];
  ASSERT_FALSE(lower.empty() || golden["whitespace"].empty());
  std::vector<bool> space(0x110000);
  for (const Json& c : golden["whitespace"]) space[code_point(c.get<std::string>())] = true;
  std::map<char32_t, std::string> mapped;
  for (const auto& [from, to] : lower.items()) {
    std::string text;
    for (const Json& c : to) append_utf8(text, code_point(c.get<std::string>()));
    mapped[code_point(from)] = text;
  }
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text;
    append_utf8(text, c);
    const auto expected = mapped.find(c);
    ASSERT_EQ(lower_case(text), expected == mapped.end() ? text : expected->second) << +c;
    ASSERT_EQ(is_space(c), space[c]) << +c;
  }
  std::cout << 0x110000 - 0x800 << " cases ran\n";  // every character there is
}

}  // namespace
}  // namespace elastic::tasks
