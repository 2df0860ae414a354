// Readers of foreign text over thousands of random inputs made of the pieces that matter: what is
// read and what is refused, with the exact words, as one hash for each reader. Whoever changes a
// reader on purpose writes the new hash; tables of single cases stand below.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/python_random.h"
#include "base/text.h"
#include "datasets/chinese_words.h"
#include "datasets/object_stream.h"
#include "datasets/python_literals.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

using Pieces = std::span<const std::string_view>;

std::string told(const std::function<std::string()>& read) {
  try {
    return read();
  } catch (const Error& error) {
    return error.what();
  }
}

std::string hash_of(std::uint64_t seed, int rounds, std::size_t most, Pieces pieces,
                    const std::function<std::string(const std::string&)>& read) {
  PythonRandom random(seed);
  std::string all;
  for (int round = 0; round < rounds; ++round) {
    std::string text;
    const std::size_t count = random.below(most + 1);
    for (std::size_t i = 0; i < count; ++i) text += pieces[random.below(pieces.size())];
    all += told([&] { return read(text); }) + "\n";
  }
  return sha256_hex(all).substr(0, 16);
}

std::string constant(const std::string& source) {
  return told([&] { return python_constant(source, "X", "f").dump(); });
}

constexpr std::string_view kValues[] = {
    "'a'",  "\"b\"",  "1",        "-2",       "+3.5",      ".5",     "1_0",
    "1e3",  "True",   "False",    "None",     "[",         "]",      "(",
    ")",    "{",      "}",        ",",        ":",         " ",      "\n",
    "\\\n", "\\\r\n", "# c\n",    "'k': ",    "'''t\n'''", "r'\\n'", "u'x'",
    "b'x'", "F'x'",   "Rb'y'",    "+",        "\t",        "\f",     "\r",
    ";",    "Z",      "z_9",      "\xC3\xA9", "-",         "'",      "\"\"\"q\"\"\"",
    "A0",   "[1, 2]", "{'a': 1}", "(1,)",     "('a' 'b')", "()",     "=",
    "1x",   "0"};

TEST(Readers, PythonValues) {
  EXPECT_EQ(
      hash_of(1, 6000, 6, kValues, [](const std::string& text) { return constant("X = " + text); }),
      "888ad3e700f391cf");
  EXPECT_EQ(hash_of(2, 3000, 8, kValues,
                    [](const std::string& text) { return constant("X = [" + text + "]\n"); }),
            "e203b24926b6453f");
  EXPECT_EQ(hash_of(3, 2000, 6, kValues,
                    [](const std::string& text) { return constant("X = {'k': " + text + "}\n"); }),
            "f8ab5b738e0394ce");
}

constexpr std::string_view kStatements[] = {"X = 1",
                                            "X=2",
                                            "X == 3",
                                            "X",
                                            "Y = 4",
                                            " ",
                                            "\n",
                                            ";",
                                            "\t",
                                            "(",
                                            ")",
                                            "[",
                                            "]",
                                            "{",
                                            "}",
                                            "'s'",
                                            "'''X = 5\n'''",
                                            "# X = 6\n",
                                            "X\\\n= 7",
                                            "f(",
                                            "X = f'x'",
                                            "X = 1 + 2",
                                            "XX = 8",
                                            "\r\n",
                                            "X = 'q'",
                                            "X += 1",
                                            "if X: ",
                                            "X = (",
                                            "r'X'"};

TEST(Readers, PythonStatements) {
  EXPECT_EQ(hash_of(4, 6000, 7, kStatements, constant), "36f8f54d8662b12f");
}

constexpr std::string_view kEscapes[] = {
    "\\\\", "\\'",  "\\\"", "\\a",  "\\b",    "\\f",      "\\n", "\\r",  "\\t",
    "\\v",  "\\0",  "\\x",  "\\u",  "\\U",    "41",       "e9",  "0000", "0001F600",
    "d800", "dfff", "D7FF", "e000", "110000", "0010FFFF", "\\q", "\\\n", "7",
    "g",    "G",    "F",    "@",    "`",      "x",        "\"",  "\n",   "\\"};

TEST(Readers, PythonEscapes) {
  const auto quoted = [](const char* begin, const char* end) {
    return [=](const std::string& text) {
      return constant(fmt::format("X = {}{}{}\n", begin, text, end));
    };
  };
  EXPECT_EQ(hash_of(5, 6000, 5, kEscapes, quoted("'", "'")), "acfc98c1bc1aba69");
  EXPECT_EQ(hash_of(6, 2000, 5, kEscapes, quoted("r\"", "\"")), "180090e965d07847");
  EXPECT_EQ(hash_of(7, 2000, 5, kEscapes, quoted("\"\"\"", "\"\"\"")), "097a4f10b3efa4bd");
}

TEST(Readers, PythonDepthIsBounded) {
  for (const auto& [open, close] : {std::pair("[", "]"), {"(", ",)"}, {"{'a': ", "}"}}) {
    std::string text = "1";
    for (int depth = 0; depth < 64; ++depth) text = open + text + close;
    EXPECT_TRUE(find_python_constant("X = " + text, "X", "f")) << open;
    EXPECT_FALSE(find_python_constant("X = " + (open + text + close), "X", "f")) << open;
  }
}

constexpr std::string_view kJsonPieces[] = {"{",
                                            "}",
                                            "[",
                                            "]",
                                            ",",
                                            " ",
                                            "\n",
                                            "\r\n",
                                            "{\"a\": 1}",
                                            "\"",
                                            "\\",
                                            "x",
                                            "\xEF\xBB\xBF",
                                            "{\"b\": {\"c\": \"}\"}}",
                                            "\t",
                                            "1"};

TEST(Readers, ObjectsOfAFile) {
  const testing::TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    std::ofstream(folder / "f", std::ios::binary) << text;
    std::string all;
    try {
      ObjectStream stream(folder / "f", 20);
      while (const auto object = stream.next()) {
        all += fmt::format("{}@{} {} ", object->text, object->offset, stream.where());
      }
    } catch (const Error& error) {
      all += error.what();
    }
    return replace_all(all, folder.path().string(), "");
  };
  EXPECT_EQ(hash_of(8, 1500, 9, kJsonPieces, read), "6c01024d7a539640");
}

// Words, counts and probabilities of a small model, or the error.
std::string shown_model(const ChineseSources& sources) {
  const ChineseModel model = parse_chinese_model(sources);
  std::string all = fmt::format("{} {:.6g}", model.words.total(), model.words.unknown_weight());
  for (const char32_t first : {U'\u4e00', U'\u4e01', U'a', U'\0'}) {
    const auto node = model.words.child(ChineseWords::kRoot, first);
    const auto next = node == ChineseWords::kNone ? node : model.words.child(node, U'\u4e00');
    for (const auto at : {node, next}) {
      if (at != ChineseWords::kNone)
        all += fmt::format(" {}:{:.6g}", model.words.count(at), model.words.weight(at));
    }
  }
  for (std::size_t a = 0; a < ChineseHmm::kStates; ++a) {
    all += fmt::format("|{:.4g}", model.hmm.start[a]);
    for (std::size_t b = 0; b < ChineseHmm::kStates; ++b)
      all += fmt::format(" {:.4g}", model.hmm.transition[a][b]);
    for (const std::size_t c : {std::size_t{0}, std::size_t{1}, model.hmm.emission[a].size() - 1}) {
      all += fmt::format(" {:.4g}", model.hmm.emission[a][c]);
    }
  }
  return all;
}

constexpr std::string_view kDictionary = "\u4e00 3 n\na 1 x\n", kStart = "P={'B': -0.5}",
                           kMoves = "P={'B': {'E': -0.25}}",
                           kEmission = "P={'B': {'\\u4e00': -2.5}}";

TEST(Readers, ChineseDictionaries) {
  constexpr std::string_view kPieces[] = {"\u4e00", "\u4e01", "a",  " ", " ", "\n", "3",
                                          "0",      "1",      "-1", "n", "x", "\r"};
  EXPECT_EQ(hash_of(11, 4000, 9, kPieces,
                    [](const std::string& text) {
                      return shown_model({text, kStart, kMoves, kEmission});
                    }),
            "c2dc377962c11972");
}

// Thousands of words: the table grows on the way and holds each of them.
TEST(Readers, ManyChineseWords) {
  ChineseWords words;
  for (char32_t a = 0; a < 100; ++a) {
    for (char32_t b = 0; b < 60; ++b)
      words.add(std::u32string{0x4e00 + a, 0x4e00 + b * 97}, 1 + a * 60 + b);
  }
  words.finish();
  EXPECT_EQ(words.total(), 6000 * 6001 / 2);
  for (char32_t a = 0; a < 101; ++a) {
    const auto first = words.child(ChineseWords::kRoot, 0x4e00 + a);
    EXPECT_EQ(first == ChineseWords::kNone, a == 100);
    if (first == ChineseWords::kNone) continue;
    EXPECT_EQ(words.count(first), 0);
    for (char32_t b = 0; b < 60; ++b) {
      EXPECT_EQ(words.count(words.child(first, 0x4e00 + b * 97)), 1 + a * 60 + b);
    }
    EXPECT_EQ(words.child(first, 0x4e01), ChineseWords::kNone);
  }
}

}  // namespace
}  // namespace elastic::datasets
