// Exercises that need one or a few places of the text: entries among prose or among their like,
// copies of copies, an entry of the closing lines.

#include <algorithm>
#include <array>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/exercise.h"
#include "tasks/training/mix_sources.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kMostCopies = 3;  // chains
constexpr int kCopyNames = 4;            // of a chain
constexpr int kCopyLetters = 5;

constexpr std::array<const char*, 5> kLookUpInstructions = {
    "The pages below mix ordinary prose with a few entries. At the end you are asked for one.",
    "Study this document. Small records stand between the sentences, and one of them will be "
    "needed.",
    "Below is a document. Use nothing but the document to answer.",
    "Read the following carefully; details count.",
    "Here is some reading matter. Afterwards you are to find a detail in it again."};
constexpr std::array<const char*, 2> kClosingInstructions = {
    "Only the end of this document is of interest.",
    "You may skim the document; what is asked for stands in its last sentences."};
constexpr std::array<const char*, 3> kCopyInstructions = {
    "In this document crates get stamps, some of them copied from another crate. Keep account.",
    "The document tells which stamp each crate bears, sometimes by naming another crate.",
    "Crates and their stamps are mentioned here and there below. Work out who bears what."};

constexpr std::array<const char*, 6> kEntries = {
    "The entry for {key} reads {value}.",
    "Somebody pencilled {value} beside {key} in the register.",
    "For {key}, the inventory gives {value}.",
    "Under {key} one finds {value}.",
    "{key}: {value}.",
    "And so {key} was booked under {value}."};

struct Wording {
  const char* question;  // field keys
  const char* lead;
};
constexpr std::array<Wording, 4> kOne = {{
    {"What does the document give for {keys}? Reply with the entry only.", "{keys}:"},
    {"Look up {keys} in the document and report the entry.", "The entry of {keys}:"},
    {"Which entry goes with {keys}?", "With {keys} goes"},
    {"I need the entry of {keys}, please.", "Here it is:"},
}};
constexpr std::array<Wording, 3> kAllEntries = {{
    {"Give every entry of {keys}, in the order in which they come.", "{keys}:"},
    {"List all that the document books under {keys}, separated by commas.", "Booked under {keys}:"},
    {"More than one entry goes with {keys}. Name all of them.", "All of them:"},
}};
constexpr std::array<Wording, 3> kSeveral = {{
    {"Give the entries of these names, in the same order: {keys}.", "In this order:"},
    {"Look up {keys} and report one entry for each.", "One for each:"},
    {"What are the entries of {keys}? Separate them by commas.", "The entries:"},
}};
constexpr std::array<const char*, 2> kStamps = {"Crate {name} was stamped {value}.",
                                                "They put the stamp {value} on crate {name}."};
constexpr std::array<const char*, 2> kCopies = {
    "Crate {name} got the stamp of crate {previous}.",
    "Whatever crate {previous} bears, {name} bears too."};
constexpr std::array<Wording, 3> kBearers = {{
    {"Name all crates that bear {keys}, in the order in which they come.", "{keys} is borne by"},
    {"On which crates is the stamp {keys}? Write their names with commas.", "The crates are"},
    {"Who bears {keys}, directly or as a copy?", "These crates:"},
}};

enum class Form { kObjects, kPersons, kCodes, kNumbers };

std::string draw_of(Form form, MixRandom& random) {
  switch (form) {
    case Form::kObjects:
      return "the " + draw_object(random);
    case Form::kPersons:
      return draw_person(random);
    case Form::kCodes:
      return draw_uuid(random);
    case Form::kNumbers:
      break;
  }
  std::string digits = std::to_string(random.between(1, 9));
  for (std::int64_t i = random.between(4, 6); i > 0; --i) {
    digits += static_cast<char>('0' + random.below(10));
  }
  return digits;
}

// The first that `draw` gives that is not taken; it is from then on.
template <typename Draw>
std::string untaken(std::unordered_set<std::string>& taken, Draw draw) {
  std::string drawn = draw();
  while (!taken.insert(drawn).second) drawn = draw();
  return drawn;
}

struct Record {
  std::string key;
  std::vector<std::string> values;
};

// Records of one document: their keys differ, and no value is another's.
class RecordDrawer {
 public:
  explicit RecordDrawer(MixRandom& random)
      : random_(random), key_(draw_key_form()), value_(draw_value_form()) {}

  Record draw(std::int64_t values) {
    Record record{.key = fresh(key_), .values = {}};
    for (std::int64_t i = 0; i < values; ++i) record.values.push_back(fresh(value_));
    return record;
  }

 private:
  Form draw_key_form() {
    constexpr Form kKinds[] = {Form::kObjects, Form::kPersons, Form::kCodes};
    return kKinds[random_.weighted({.45, .35, .2})];
  }
  Form draw_value_form() {
    constexpr Form kKinds[] = {Form::kNumbers, Form::kCodes, Form::kPersons};
    return kKinds[random_.weighted({.6, .25, .15})];
  }
  std::string fresh(Form form) {
    return untaken(taken_, [&] { return draw_of(form, random_); });
  }

  MixRandom& random_;
  Form key_, value_;
  std::unordered_set<std::string> taken_;
};

std::string entry_of(const char* pattern, const Record& record, std::size_t value) {
  std::string text = fill_fields(pattern, {{"key", record.key}, {"value", record.values[value]}});
  if (text.starts_with("the ")) text[0] = 'T';
  return text;
}

void ask(Exercise& exercise, const Wording& wording, const std::string& keys,
         const std::vector<std::string>& values) {
  exercise.question = fill_fields(wording.question, {{"keys", keys}});
  exercise.lead = fill_fields(wording.lead, {{"keys", keys}});
  if (exercise.lead.starts_with("the ")) exercise.lead[0] = 'T';
  exercise.answer = join(values, ", ");
}

// Prose with `inserts` among its sentences, in their order; at the end only where `closing`.
std::string weave(std::vector<std::string> inserts, bool closing, TextBudget& budget,
                  const ProseSources& sources, MixRandom& random) {
  for (const std::string& insert : inserts) budget.take(insert);
  ProseStream prose(sources, random);
  std::vector<std::string> sentences;
  for (std::string next = prose.next(); budget.try_take(" " + next); next = prose.next()) {
    sentences.push_back(next);
  }
  const std::size_t tail = std::min<std::size_t>(sentences.size(), 3);
  std::vector<std::size_t> places =
      random.places(closing ? tail + 1 : sentences.size() + 1, inserts.size());
  if (closing) {
    for (std::size_t& place : places) place += sentences.size() - tail;
  }
  std::vector<std::string> woven;
  std::size_t next = 0;
  for (std::size_t i = 0; i <= sentences.size(); ++i) {
    for (; next < inserts.size() && (places[next] <= i || i == sentences.size()); ++next) {
      woven.push_back(std::move(inserts[next]));
    }
    if (i < sentences.size()) woven.push_back(std::move(sentences[i]));
  }
  return join(woven, " ");
}

// All texts in a random order; those of each list stay in theirs.
std::vector<std::string> interleaved(std::vector<std::vector<std::string>> lists,
                                     MixRandom& random) {
  std::vector<std::size_t> turns, used(lists.size(), 0);
  for (std::size_t i = 0; i < lists.size(); ++i) turns.insert(turns.end(), lists[i].size(), i);
  random.shuffle(turns);
  std::vector<std::string> texts;
  texts.reserve(turns.size());
  for (const std::size_t turn : turns) texts.push_back(std::move(lists[turn][used[turn]++]));
  return texts;
}

std::vector<std::string> shuffled_entries(const char* pattern, const std::vector<Record>& records,
                                          MixRandom& random) {
  std::vector<std::vector<std::string>> entries(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (std::size_t value = 0; value < records[i].values.size(); ++value) {
      entries[i].push_back(entry_of(pattern, records[i], value));
    }
  }
  return interleaved(std::move(entries), random);
}

// A text of 128 tokens has room for one or two entries beside its question.
std::int64_t at_most(std::int64_t most, const TextBudget& budget, std::int64_t tokens_each) {
  return std::clamp<std::int64_t>(budget.left() / 3 / tokens_each, 1, most);
}

constexpr std::int64_t kEntryTokens = 50;  // about; codes have the most

std::vector<Record> draw_records(RecordDrawer& records, std::int64_t count, std::int64_t values) {
  std::vector<Record> drawn;
  for (std::int64_t i = 0; i < count; ++i) drawn.push_back(records.draw(values));
  return drawn;
}

std::string crate_name(MixRandom& random) {
  std::string name;
  for (int i = 0; i < kCopyLetters; ++i) name += static_cast<char>('A' + random.below(26));
  return name;
}

}  // namespace

Exercise draw_entry(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  RecordDrawer drawer(random);
  const char* pattern = random.pick(kEntries);
  const std::vector<Record> records =
      draw_records(drawer, random.between(1, at_most(12, budget, kEntryTokens)), 1);
  Exercise exercise{.instruction = random.pick(kLookUpInstructions)};
  ask(exercise, random.pick(kOne), records[0].key, records[0].values);
  budget.take_frame(exercise);
  exercise.text = weave(shuffled_entries(pattern, records, random), false, budget, sources, random);
  return exercise;
}

// Nothing but entries, each on a line.
Exercise draw_register(TextBudget& budget, const ProseSources&, MixRandom& random) {
  RecordDrawer drawer(random);
  const char* pattern = random.pick(kEntries);
  const Record asked = drawer.draw(1);
  Exercise exercise{.instruction = random.pick(kLookUpInstructions)};
  ask(exercise, random.pick(kOne), asked.key, asked.values);
  budget.take_frame(exercise);
  std::vector<std::string> lines{entry_of(pattern, asked, 0)};
  budget.take(lines.front());
  while (true) {
    std::string line = entry_of(pattern, drawer.draw(1), 0);
    if (!budget.try_take("\n" + line)) break;
    lines.push_back(std::move(line));
  }
  std::swap(lines.front(), lines[random.below(lines.size())]);
  exercise.text = join(lines, "\n");
  return exercise;
}

Exercise draw_collection(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  RecordDrawer drawer(random);
  const char* pattern = random.pick(kEntries);
  const std::int64_t values =
      random.between(2, std::max<std::int64_t>(2, at_most(5, budget, kEntryTokens)));
  const std::vector<Record> records =
      draw_records(drawer, random.between(1, at_most(3, budget, values * kEntryTokens)), values);
  Exercise exercise{.instruction = random.pick(kLookUpInstructions)};
  ask(exercise, random.pick(kAllEntries), records[0].key, records[0].values);
  budget.take_frame(exercise);
  exercise.text = weave(shuffled_entries(pattern, records, random), false, budget, sources, random);
  return exercise;
}

Exercise draw_several(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  RecordDrawer drawer(random);
  const char* pattern = random.pick(kEntries);
  const std::int64_t most = std::max<std::int64_t>(2, at_most(10, budget, kEntryTokens));
  const std::vector<Record> records = draw_records(drawer, random.between(2, most), 1);
  const std::int64_t asked = random.between(2, std::min<std::int64_t>(5, std::ssize(records)));
  std::vector<std::string> keys, values;
  for (std::int64_t i = 0; i < asked; ++i) {
    keys.push_back(records[static_cast<std::size_t>(i)].key);
    values.push_back(records[static_cast<std::size_t>(i)].values.front());
  }
  Exercise exercise{.instruction = random.pick(kLookUpInstructions)};
  ask(exercise, random.pick(kSeveral), join(keys, ", "), values);
  budget.take_frame(exercise);
  exercise.text = weave(shuffled_entries(pattern, records, random), false, budget, sources, random);
  return exercise;
}

Exercise draw_copies(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  std::unordered_set<std::string> taken;
  const char* first = random.pick(kStamps);
  const char* copy = random.pick(kCopies);
  const std::int64_t chains =
      random.between(1, at_most(kMostCopies, budget, kCopyNames * kEntryTokens / 2));
  Exercise exercise{.instruction = random.pick(kCopyInstructions)};
  std::vector<std::vector<std::string>> links;  // of each chain
  for (std::int64_t chain = 0; chain < chains; ++chain) {
    const std::string stamp = untaken(taken, [&] { return draw_of(Form::kNumbers, random); });
    std::vector<std::string> names, of_chain;
    for (int i = 0; i < kCopyNames; ++i) {
      names.push_back(untaken(taken, [&] { return crate_name(random); }));
      of_chain.push_back(
          i == 0 ? fill_fields(first, {{"name", names[0]}, {"value", stamp}})
                 : fill_fields(copy, {{"name", names.back()},
                                      {"previous", names[static_cast<std::size_t>(i - 1)]}}));
    }
    links.push_back(std::move(of_chain));
    if (chain == 0) ask(exercise, random.pick(kBearers), stamp, names);
  }
  std::vector<std::string> woven = interleaved(std::move(links), random);
  budget.take_frame(exercise);
  exercise.text = weave(std::move(woven), false, budget, sources, random);
  return exercise;
}

Exercise draw_closing(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  RecordDrawer drawer(random);
  const char* pattern = random.pick(kEntries);
  const Record record = drawer.draw(1);
  Exercise exercise{.instruction = random.pick(kClosingInstructions)};
  ask(exercise, random.pick(kOne), record.key, record.values);
  budget.take_frame(exercise);
  exercise.text = weave({entry_of(pattern, record, 0)}, true, budget, sources, random);
  return exercise;
}

}  // namespace elastic::tasks
