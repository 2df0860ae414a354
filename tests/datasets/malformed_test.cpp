// What foreign bytes may do to the parsers of this folder: each row is one clear error.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "datasets/archive.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/jsonl.h"
#include "datasets/python_literals.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string name;
  std::string bytes;
  std::string expected;  // part of the message
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_message(const std::string& message, const std::string& expected) {
  EXPECT_NE(message.find(expected), std::string::npos) << message;
}

fs::path write(const testing::TemporaryFolder& folder, const std::string& bytes) {
  const fs::path file = folder / "input";
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

const std::vector<Row> kBadJsonl = {
    {"broken second line", "{\"a\":1}\n{\"a\":\n{\"a\":2}\n", "line 2"},
    {"not an object", "[1]\n", "line 1: expected a JSON object"},
    {"number", "{}\n7\n", "line 2: expected a JSON object"},
    {"torn last line", "{\"a\":1}\n{\"a\":\"xy", "line 2: the last line is cut off"},
    {"torn only line", "{", "the last line is cut off"},
    {"invalid UTF-8", "{\"a\":\"\xff\"}\n", "line 1"},
    {"cut UTF-8", "{\"a\":\"\xe2\x82\"}\n", "line 1"},
    {"lone surrogate", "{\"a\":\"\\ud800\"}\n", "line 1"},
    {"NaN", "{\"a\":NaN}\n", "line 1"},
    {"two objects", "{} {}\n", "line 1"},
    {"single quotes", "{'a':1}\n", "line 1"},
    {"NUL bytes", std::string("\0\0\0\n", 4), "line 1"},
    {"deep nesting", "{\"a\":" + std::string(2000, '[') + std::string(2000, ']') + "}\n", "nested"},
    {"longer than the bound", "{\"a\":\"" + std::string(5000, 'x') + "\"}\n", "longer than"},
    {"endless line", std::string(100000, 'x'), "longer than"},
    {"UTF-16", std::string("\xff\xfe{\0}\0\n\0", 8), "line 1"},
};

TEST(Malformed, JsonLines) {
  for (const Row& row : kBadJsonl) {
    SCOPED_TRACE(row.name);
    const testing::TemporaryFolder folder;
    const fs::path file = write(folder, row.bytes);
    const std::string message = message_of([&] {
      JsonlReader rows(file, 4096);
      while (rows.next()) {
      }
    });
    expect_message(message, row.expected);
    expect_message(message, file.string());
  }
}

TEST(Malformed, JsonLinesThatAreFine) {
  const testing::TemporaryFolder folder;
  JsonlReader rows(write(folder, "\xEF\xBB\xBF{\"a\":1}\r\n\r\n  \n{\"a\":2}"));
  EXPECT_EQ(rows.next()->at("a"), 1);
  EXPECT_EQ(rows.next()->at("a"), 2);
  EXPECT_EQ(rows.line(), 4);
  EXPECT_FALSE(rows.next());
  EXPECT_FALSE(JsonlReader(write(folder, "")).next());
  EXPECT_THROW(JsonlReader("/nonexistent/x.jsonl"), Error);
  EXPECT_THROW(JsonlReader(folder.path()), Error);
}

const std::vector<Row> kBadPython = {
    {"unclosed string", "X = 'abc\n", "line 1"},
    {"unclosed triple string", "\n\nX = '''abc\n\n", "line 3"},
    {"unclosed bracket", "X = {'a': 1,", "not closed"},
    {"call", "X = load('a')\n", "`load`"},
    {"f-string", "X = f'{y}'\n", "f-string"},
    {"sum with a name", "X = 'a' + b\n", "a sum"},
    {"method of a literal", "X = 'a'.upper()\n", "after the value"},
    {"set", "X = {'a', 'b'}\n", "a set"},
    {"number as key", "X = {1: 2}\n", "dictionary key"},
    {"never assigned", "Y = 1\nif X == 2: pass\n", "never assigned"},
    {"bad escape", "X = '\\xZZ'\n", "bad escape"},
    {"surrogate escape", "X = '\\ud800'\n", "bad escape"},
    {"deep nesting", "X = " + std::string(5000, '[') + std::string(5000, ']'), "nested"},
    {"only inside a string", "\"\"\"\nX = 1\n\"\"\"\n", "never assigned"},
    {"only as an argument", "f(\nX = 1)\n", "never assigned"},
};

TEST(Malformed, PythonConstants) {
  for (const Row& row : kBadPython) {
    SCOPED_TRACE(row.name);
    const std::string message = message_of([&] { python_constant(row.bytes, "X", "c.py"); });
    expect_message(message, row.expected);
    expect_message(message, "c.py");
  }
}

std::string pack_with(const std::function<void(Json&)>& change) {
  Json task = {{"template", "x {context} y"}, {"answer_prefix", " A:"}, {"tokens_to_generate", 8}};
  Json pack = {
      {"schema_version", 1},
      {"profile", "ruler@test"},
      {"texts", {{"needle", "{key} has {value}"}, {"noise", "n"}, {"qa_document", "{document}"}}},
      {"tasks", Json::object()},
      {"model_templates", {{"base", "{task_template}"}}}};
  for (const char* name :
       {"niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"}) {
    pack["tasks"][name] = task;
  }
  change(pack);
  return pack.dump();
}

TEST(Malformed, PromptPacks) {
  EXPECT_EQ(check_prompt_pack(parse_json(pack_with([](Json&) {}), "p"), "p"), "ruler@test");
  const std::vector<Row> rows = {
      {"not an object", "[]", "object"},
      {"no version", pack_with([](Json& p) { p.erase("schema_version"); }), "schema_version"},
      {"newer version", pack_with([](Json& p) { p["schema_version"] = 2; }), "schema_version"},
      {"profile of another suite", pack_with([](Json& p) { p["profile"] = "x@y"; }), "profile"},
      {"no texts", pack_with([](Json& p) { p.erase("texts"); }), "texts"},
      {"needle is a number", pack_with([](Json& p) { p["texts"]["needle"] = 1; }), "needle"},
      {"needle without value", pack_with([](Json& p) { p["texts"]["needle"] = "{key}"; }),
       "{value}"},
      {"no qa task", pack_with([](Json& p) { p["tasks"].erase("qa"); }), "qa"},
      {"task is a string", pack_with([](Json& p) { p["tasks"]["niah"] = "x"; }), "niah"},
      {"template without context", pack_with([](Json& p) { p["tasks"]["niah"]["template"] = "x"; }),
       "{context}"},
      {"no answer budget", pack_with([](Json& p) { p["tasks"]["qa"].erase("tokens_to_generate"); }),
       "tokens_to_generate"},
      {"answer budget of zero",
       pack_with([](Json& p) { p["tasks"]["qa"]["tokens_to_generate"] = 0; }), "below 1"},
      {"no model templates", pack_with([](Json& p) { p["model_templates"] = 3; }),
       "model_templates"},
      {"model template without task",
       pack_with([](Json& p) { p["model_templates"]["base"] = "x"; }), "{task_template}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    expect_message(message_of([&] { check_prompt_pack(parse_json(row.bytes, "p"), "p"); }),
                   row.expected);
  }
}

struct ZipRow {
  std::string name;
  std::vector<testing::ZipMember> members;
  std::string expected;
};

TEST(Malformed, ZipArchives) {
  const std::vector<ZipRow> rows = {
      {"parent folder", {{"../evil", "x"}}, "points outside"},
      {"parent folder inside", {{"good", "x"}, {"a/../../evil", "x"}}, "points outside"},
      {"absolute", {{"/etc/evil", "x"}}, "points outside"},
      {"drive", {{"C:evil", "x"}}, "points outside"},
      {"backslash", {{"..\\evil", "x"}}, "points outside"},
      {"link", {{"good", "/etc/passwd", true}}, "is a link"},
      {"encrypted", {{"good", "x", false, true}}, "encrypted"},
      {"no such member", {{"other", "x"}}, "has no member"},
      {"larger than the bound", {{"good", std::string(100000, 'x')}}, "unpacks to more than"},
  };
  for (const ZipRow& row : rows) {
    SCOPED_TRACE(row.name);
    const testing::TemporaryFolder folder;
    testing::write_zip(folder / "a.zip", row.members);
    expect_message(message_of([&] { ZipArchive(folder / "a.zip").read("good", 50000); }),
                   row.expected);
  }
}

TEST(Malformed, ZipBytes) {
  const testing::TemporaryFolder folder;
  testing::write_zip(folder / "a.zip", {{"good", std::string(3000, 'x') + "tail"}});
  const std::string bytes = read_file(folder / "a.zip");
  const std::string content = ZipArchive(folder / "a.zip").read("good");
  EXPECT_EQ(content.size(), 3004u);
  // Every cut and every changed byte: the same content, or a clear error.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0xff);
    for (const std::string& variant : {bytes.substr(0, i), changed}) {
      const fs::path file = write(folder, variant);
      const std::string message =
          message_of([&] { EXPECT_EQ(ZipArchive(file).read("good"), content) << i; });
      EXPECT_TRUE(message == "no error" || message.find(file.string()) == 0) << i << message;
    }
  }
  EXPECT_THROW(ZipArchive(folder / "absent.zip"), Error);
}

TEST(Malformed, Csv) {
  expect_message(message_of([] { parse_csv("a,\"b\nc", "s.csv"); }), "s.csv, line 1");
  expect_message(message_of([] { parse_csv("x\n\"b\" c", "s.csv"); }), "line 2");
  const auto rows = parse_csv("a,\"b,\"\"c\"\"\nd\"\r\n\n,e\n", "s.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"a", "b,\"c\"\nd"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"", "e"}));
}

}  // namespace
}  // namespace elastic::datasets
