#include "base/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>

#include "base/csv.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/registry.h"

namespace elastic {
namespace {

TEST(Text, SplitsAndJoins) {
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(split("a,,b", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(split("", ','), Parts{""});
  EXPECT_EQ(split(",ab,", ','), (Parts{"", "ab", ""}));
  EXPECT_EQ(split_list(" a , b,,c "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(split_list(" , ").empty());
  EXPECT_EQ(join({"a", "b"}, "-"), "a-b");
  EXPECT_EQ(strip(" \t a b\n"), "a b");
  EXPECT_EQ(strip(" \n"), "");
  EXPECT_EQ(strip("a"), "a");
  EXPECT_EQ(join({}, "-"), "");
  EXPECT_EQ(join({"a", "", "c"}, ", "), "a, , c");
  EXPECT_EQ(replace_all("aaa", "aa", "b"), "ba");
  EXPECT_EQ(replace_all("a.b.", ".", ""), "ab");
  EXPECT_THROW(replace_all("a", "", "b"), std::logic_error);
}

TEST(Text, CsvTextIsNoFormula) {
  EXPECT_EQ(csv_text("=1+1"), "'=1+1");
  EXPECT_EQ(csv_text("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
  for (const char* text : {"+1", "-1", "@a", "\tx"})
    EXPECT_EQ(csv_text(text), "'" + std::string(text));
  EXPECT_EQ(csv_text("\x1b[0m"), "\\x1b[0m");
  EXPECT_EQ(csv_text("a=b"), "a=b");
  EXPECT_EQ(csv_text(""), "");
  EXPECT_EQ(csv_field("=1"), "=1") << "as it is, for files of other programs' formats";
}

TEST(Text, ParsesWholeNumbersOnly) {
  EXPECT_EQ(parse_int("-12"), -12);
  EXPECT_FALSE(parse_int("12x"));
  EXPECT_FALSE(parse_int(""));
  EXPECT_FALSE(parse_int("99999999999999999999"));
  EXPECT_DOUBLE_EQ(parse_double("1e-3").value(), 1e-3);
  EXPECT_FALSE(parse_double("1,5"));
  EXPECT_FALSE(parse_double(""));
  EXPECT_FALSE(parse_double("1e999"));
  for (const char* text : {"0", "1", "0.25"}) EXPECT_EQ(parse_share(text), parse_double(text));
  for (const char* text : {"-0.1", "1.01", "nan", "inf", "x", ""}) EXPECT_FALSE(parse_share(text));
}

TEST(Text, LengthsUseBinaryK) {
  EXPECT_EQ(parse_length("4096"), 4096);
  EXPECT_EQ(parse_length("4k"), 4096);
  EXPECT_EQ(parse_length("128K"), 131072);
  EXPECT_EQ(parse_length("1m"), 1048576);
  EXPECT_EQ(parse_length("2M"), 2097152);
  EXPECT_EQ(parse_length("1"), 1);
  for (const char* bad : {"", "k", "-4k", "0", "4.5k", "4kk", "99999999m"}) {
    EXPECT_THROW(parse_length(bad), Error) << bad;
  }
  EXPECT_EQ(format_length(4096), "4k");
  EXPECT_EQ(format_length(1048576), "1m");
  EXPECT_EQ(format_length(3145728), "3m");
  EXPECT_EQ(format_length(1048576 + 1024), "1025k");
  EXPECT_EQ(format_length(-1024), "-1024");
  EXPECT_EQ(format_length(1000), "1000");
  EXPECT_EQ(format_length(0), "0");
  EXPECT_EQ(parse_length(" 4k "), 4096);
  EXPECT_EQ(parse_length("1024m"), std::int64_t{1} << 30);
  EXPECT_EQ(parse_length("1073741824"), std::int64_t{1} << 30);
  for (const char* bad : {"1025m", "1048577k", "1073741825"}) {
    EXPECT_THROW(parse_length(bad), Error) << bad;
  }
}

TEST(Text, FormatsForPeople) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(-1536), "-1.5 KiB");
  EXPECT_EQ(format_bytes(std::int64_t{1} << 50), "1024.0 TiB");
  EXPECT_EQ(format_seconds(0.84), "0.8 s");
  EXPECT_EQ(format_seconds(10), "10 s");
  EXPECT_EQ(format_seconds(59.6), "1 min 0 s");
  EXPECT_EQ(format_seconds(3600), "1 h 0 min");
  EXPECT_EQ(format_seconds(75.2), "1 min 15 s");
  EXPECT_EQ(format_seconds(3700), "1 h 1 min");
  EXPECT_EQ(format_seconds(9.96), "10.0 s");
  EXPECT_EQ(format_seconds(59.4), "59 s");
  EXPECT_EQ(format_seconds(3599), "59 min 59 s");
  EXPECT_EQ(format_seconds(7199), "1 h 59 min");
  EXPECT_EQ(format_seconds(36000), "10 h 0 min");
  EXPECT_EQ(format_bytes(std::int64_t{3} << 40), "3.0 TiB");
  EXPECT_EQ(format_bytes(std::int64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(format_bytes((std::int64_t{1} << 20) - 1), "1024.0 KiB");
}

TEST(Hash, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().update("a").update("bc").hex(), sha256_hex("abc"));
}

// Optimal string alignment as its recurrence has it.
std::size_t changes(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.size() + b.size();
  const std::string_view a1 = a.substr(1), b1 = b.substr(1);
  std::size_t least = changes(a1, b1) + (a[0] == b[0] ? 0 : 1);
  least = std::min({least, changes(a1, b) + 1, changes(a, b1) + 1});
  if (a.size() > 1 && b.size() > 1 && a[0] == b[1] && a[1] == b[0]) {
    least = std::min(least, changes(a.substr(2), b.substr(2)) + 1);
  }
  return least;
}

TEST(Registry, TheSuggestionIsTheFirstOfTheNearest) {
  std::mt19937 random(1);
  const auto word = [&random] {
    std::string text(1 + random() % 6, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 600; ++round) {
    const std::string name = word();
    const std::vector<std::string> known = {word(), word(), word()};
    std::size_t best = 3;
    std::string suggestion = "; known: ";
    for (const std::string& candidate : known) {
      if (changes(name, candidate) >= best) continue;
      best = changes(name, candidate);
      suggestion = "; did you mean `" + candidate + "`? known: ";
    }
    EXPECT_EQ(unknown_name("x", name, known),
              "unknown x `" + name + "`" + suggestion + join(known, ", "));
  }
}

TEST(Registry, UnknownNamesGetSuggestions) {
  EXPECT_EQ(unknown_name("mode", "fa-sa", {"fa", "ssa", "fa-ssa"}),
            "unknown mode `fa-sa`; did you mean `fa-ssa`? known: fa, ssa, fa-ssa");
  EXPECT_EQ(unknown_name("mode", "whatever", {"fa"}), "unknown mode `whatever`; known: fa");
  const auto suggested = [](std::string_view name, const std::vector<std::string>& known) {
    return unknown_name("x", name, known).find("did you mean `" + known.back() + "`") !=
           std::string::npos;
  };
  EXPECT_TRUE(suggested("ab", {"cd"})) << "two changes in a short name";
  EXPECT_FALSE(suggested("ab", {"cde"}));
  EXPECT_TRUE(suggested("abcdefghijkl", {"abcdefghWXYZ"})) << "a third of a long one";
  EXPECT_FALSE(suggested("abcdefghijkl", {"abcdefgVWXYZ"}));
  EXPECT_TRUE(suggested("night", {"nights_", "nitgh", "knight"})) << "the nearest";
  EXPECT_TRUE(suggested("task", {"ask"}) && suggested("task", {"tasks"}));
  EXPECT_TRUE(suggested("sas", {"fa", "ssa"})) << "neighbours exchanged are one change";
  EXPECT_FALSE(suggested("fa", {"fb", "fc"})) << "the first of equals";
  EXPECT_EQ(unknown_name("task", "vtt", {"ruler", "ruler/vt", "ruler/cwe"}),
            "unknown task `vtt`; did you mean `ruler/vt`? known: ruler, ruler/vt, ruler/cwe");
  EXPECT_EQ(unknown_name("task", "other/vt", {"vt"}), "unknown task `other/vt`; known: vt");
  try {
    throw_unknown_name("mode", "fb", {"fa"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_STREQ(error.what(), "unknown mode `fb`; did you mean `fa`? known: fa");
  }
}

}  // namespace
}  // namespace elastic
