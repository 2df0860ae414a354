#include "tasks/training/prose.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "tasks/ruler/prompt_pack.h"

namespace elastic::tasks {
namespace {

constexpr std::size_t kLeastSentences = 200;  // of the user's files together: a few thousand tokens
constexpr std::size_t kLongestSentence = 2000;  // bytes

constexpr std::array<std::string_view, 40> kFirstNames = {
    "Ada",   "Bertil",  "Clara", "Dorian", "Edith", "Felix",  "Greta", "Hugo",  "Imogen", "Jonas",
    "Karin", "Leopold", "Mabel", "Nestor", "Olive", "Piers",  "Quinn", "Rosa",  "Silas",  "Thea",
    "Ulric", "Vera",    "Wanda", "Xenia",  "Yusuf", "Zelda",  "Amos",  "Beata", "Cyril",  "Delia",
    "Ezra",  "Flora",   "Gwen",  "Hector", "Irma",  "Jasper", "Kezia", "Lorna", "Matteo", "Nadia"};
constexpr std::array<std::string_view, 40> kLastNames = {
    "Holt",   "Ashdown", "Brandt",  "Cole",     "Dunmore", "Ekman",    "Farrow",  "Grieve",
    "Hallam", "Ingram",  "Jessop",  "Kettle",   "Lund",    "Marsden",  "Norris",  "Oakes",
    "Pryor",  "Quayle",  "Rudd",    "Sorrel",   "Tarn",    "Underhay", "Varley",  "Whitlock",
    "Yarrow", "Zeller",  "Bexley",  "Corrigan", "Dacre",   "Elwood",   "Fenwick", "Garland",
    "Hawley", "Isham",   "Jardine", "Kirby",    "Lomax",   "Mercer",   "Naylor",  "Orchard"};
constexpr std::array<std::string_view, 30> kTownStarts = {
    "Fern", "Grey", "Ash",  "Lang", "Thorn", "Whit", "Hazel", "Stan", "Kirk",  "Mill",
    "Wol",  "Brim", "Cold", "Dun",  "Elm",   "Fox",  "Gold",  "Hart", "Ives",  "Kel",
    "Lin",  "Marl", "Nor",  "Oak",  "Pen",   "Rook", "Sed",   "Tam",  "Under", "Wick"};
constexpr std::array<std::string_view, 16> kTownEnds = {
    "wick", "ford", "by",   "ham",  "mouth", "stead", "ley",    "combe",
    "gate", "dale", "port", "holm", "worth", "field", "bridge", "haven"};
constexpr std::array<std::string_view, 60> kNouns = {
    "kettle",    "ledger",   "compass",  "lantern",   "violin",     "barrel",  "saddle",
    "anvil",     "mirror",   "ladder",   "basket",    "trumpet",    "candle",  "hammer",
    "wagon",     "teapot",   "blanket",  "chisel",    "globe",      "organ",   "plough",
    "sextant",   "tapestry", "umbrella", "vase",      "whistle",    "abacus",  "bellows",
    "cabinet",   "drum",     "easel",    "fiddle",    "goblet",     "harness", "inkwell",
    "jug",       "kite",     "loom",     "mallet",    "needlecase", "oar",     "parcel",
    "quilt",     "razor",    "spindle",  "telescope", "urn",        "valise",  "weathervane",
    "yoke",      "banner",   "cradle",   "dagger",    "engine",     "flute",   "gong",
    "hourglass", "icebox",   "jewel",    "knapsack"};
constexpr std::array<std::string_view, 40> kAdjectives = {
    "brass",    "crimson", "dusty",  "enamel", "faded",     "gilded",  "hollow",  "ivory",
    "jagged",   "knotted", "leaden", "mended", "narrow",    "oaken",   "painted", "quaint",
    "rusty",    "silver",  "tarred", "uneven", "varnished", "wicker",  "yellow",  "amber",
    "borrowed", "copper",  "dented", "empty",  "foreign",   "granite", "heavy",   "indigo",
    "little",   "mossy",   "new",    "olive",  "polished",  "russet",  "sturdy",  "tin"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

// Fields: a person, another, a town, another, objects, a number, a month.
constexpr std::array<std::string_view, 36> kPatterns = {
    "{person} mended the {object} in {town} and asked nothing for the work.",
    "By {month} the road between {town} and {town2} had been closed for {number} days.",
    "{person} wrote to {person2} about the {object}, but the letter stayed in a drawer.",
    "Everyone in {town} knew that the {object} belonged to {person}.",
    "It took {number} men to carry the {object} up to the school at {town}.",
    "{person2} laughed, because {person} had brought the {object} after all.",
    "In {month} the market of {town} was held indoors on account of the storm.",
    "There were {number} guests that evening, and {person} had cooked for half of them.",
    "{person} had never been to {town2}, though it was only an hour by boat.",
    "Behind the station of {town} stood a shed with the {object} and little else.",
    "{person} asked {person2} to wait until {month}, and {person2} agreed.",
    "The council of {town} paid {number} crowns for the {object}.",
    "Nobody could say why {person} kept the {object} under the stairs.",
    "When the ferry from {town2} came in, {person} was already on the quay.",
    "{person} counted {number} windows on the north side of the mill.",
    "A cousin of {person2} had painted the {object} years before.",
    "The winter was mild in {town}, and the {object} was hardly used.",
    "{person} and {person2} walked home by the canal without a word.",
    "On the last day of {month} a telegram arrived from {town2}.",
    "The teacher asked {person} whether {number} was a prime number.",
    "{person} sold the {object} to a stranger who was passing through {town}.",
    "Half of the roof at {town} had to be replaced before {month}.",
    "{person2} read the newspaper aloud while {person} cleaned the {object}.",
    "Some said that the {object} came from {town2}, others that it had always been there.",
    "The train stopped for {number} minutes, long enough for {person} to buy bread.",
    "{person} was proud of the garden, and of the {object} that stood in it.",
    "After supper {person2} told the story of the {object} once more.",
    "From the hill one could see as far as {town2} on a clear morning.",
    "The doctor of {town} prescribed rest, and {person} took it for {number} weeks.",
    "A boy from {town2} found the {object} in the reeds.",
    "{person} learned the trade in {town2} and came back in {month}.",
    "Each spring the {object} was carried through {town} with music.",
    "{person2} promised to return the {object} before the fair.",
    "The bakery of {town} opened at five, and {person} was always the first.",
    "It was said that {number} steps led down to the cellar.",
    "{person} closed the shop early and took the {object} along."};

// The cut is behind a mark that ends a sentence and in front of a blank.
void add_sentences(const std::string& paragraph, std::vector<std::string>& sentences) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < paragraph.size(); ++i) {
    const bool last = i + 1 == paragraph.size();
    const bool mark = paragraph[i] == '.' || paragraph[i] == '!' || paragraph[i] == '?';
    if (!last && !(mark && paragraph[i + 1] == ' ')) continue;
    const std::size_t size = i + 1 - start;
    if (size <= kLongestSentence) sentences.push_back(paragraph.substr(start, size));
    start = i + 2;
  }
}

std::vector<std::string> draw_each(std::int64_t count, std::string (*draw)(MixRandom&),
                                   MixRandom& random) {
  std::vector<std::string> drawn;
  for (std::int64_t i = 0; i < count; ++i) drawn.push_back(draw(random));
  return drawn;
}

}  // namespace

std::vector<std::string> read_sentences(const std::vector<std::filesystem::path>& files) {
  std::vector<std::string> sentences;
  for (const std::filesystem::path& file : files) {
    const std::string text = read_file(file);
    if (valid_utf8_prefix(text) != text.size()) {
      throw Error(ErrorKind::kCorrupt,
                  file.string() + ": is no UTF-8 text; give plain text, as .txt of a book");
    }
    std::string paragraph;
    const auto end = [&] {
      add_sentences(paragraph, sentences);
      paragraph.clear();
    };
    for (const std::string_view line : split(text, '\n')) {
      const std::vector<std::string_view> words = split_white_space(line);
      if (words.empty()) end();
      for (const std::string_view word : words) (paragraph += paragraph.empty() ? "" : " ") += word;
    }
    end();
  }
  if (!files.empty() && sentences.size() < kLeastSentences) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: {} sentences in `texts`, too few for documents; give files of at "
                            "least {} sentences together",
                            files.front().string(), sentences.size(), kLeastSentences));
  }
  return sentences;
}

std::string draw_person(MixRandom& random) {
  const std::string first = std::string(random.pick(kFirstNames));
  return first + " " + std::string(random.pick(kLastNames));
}

std::string draw_town(MixRandom& random) {
  const std::string start = std::string(random.pick(kTownStarts));
  return start + std::string(random.pick(kTownEnds));
}

std::string draw_noun(MixRandom& random) { return std::string(random.pick(kNouns)); }

std::string draw_adjective(MixRandom& random) { return std::string(random.pick(kAdjectives)); }

std::string draw_object(MixRandom& random) {
  const std::string adjective = draw_adjective(random);
  return adjective + " " + draw_noun(random);
}

ProseStream::ProseStream(const ProseSources& sources, MixRandom& random) : random_(random) {
  if (sources.share > 0 && random.chance(sources.share)) {
    sentences_ = &sources.sentences;
    at_ = random.below(sources.sentences.size());
    return;
  }
  persons_ = draw_each(random.between(4, 8), draw_person, random);
  towns_ = draw_each(random.between(3, 5), draw_town, random);
}

std::string ProseStream::next() {
  if (sentences_ != nullptr) return (*sentences_)[at_++ % sentences_->size()];
  const std::size_t person = random_.below(persons_.size());
  const std::size_t town = random_.below(towns_.size());
  const std::string object = draw_object(random_);
  const std::string number = std::to_string(random_.between(2, 60));
  const std::string month = std::string(random_.pick(kMonths));
  return fill_fields(random_.pick(kPatterns),
                     {{"person", persons_[person]},
                      {"person2", persons_[(person + 1) % persons_.size()]},
                      {"town", towns_[town]},
                      {"town2", towns_[(town + 1) % towns_.size()]},
                      {"object", object},
                      {"number", number},
                      {"month", month}});
}

}  // namespace elastic::tasks
