// Documents and questions of our own, for question answering without downloads: a gazetteer of
// made-up places, each with a mayor who has an entry too.

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/python_random.h"
#include "datasets/question_set.h"

namespace elastic::datasets {
namespace {

constexpr std::uint64_t kSeed = 20;
constexpr std::size_t kPlaces = 1200;
constexpr std::size_t kPlacesPerRegion = 12;

constexpr std::array<std::string_view, 16> kOnsets = {"Bar", "Dol", "Fen", "Gal", "Hes", "Jor",
                                                      "Kel", "Lum", "Mar", "Nor", "Pel", "Ros",
                                                      "Sar", "Tam", "Vel", "Win"};
constexpr std::array<std::string_view, 12> kMiddles = {"a",  "e",  "i",   "o",  "an", "el",
                                                       "is", "or", "ard", "en", "il", "um"};
constexpr std::array<std::string_view, 12> kPlaceEnds = {
    "by", "dale", "field", "ford", "gate", "holm", "mere", "stead", "ton", "wick", "wold", "worth"};
constexpr std::array<std::string_view, 10> kNameEnds = {"bert", "dan", "gar", "la",  "len",
                                                        "mira", "na",  "rik", "ros", "tha"};
constexpr std::array<std::string_view, 12> kTrades = {
    "baker",     "cartwright", "clockmaker", "cooper", "fisher",  "glazier",
    "innkeeper", "mason",      "miller",     "potter", "saddler", "weaver"};
constexpr std::array<std::string_view, 12> kGoods = {"barrels",  "bells",  "boats",  "candles",
                                                     "cheese",   "clocks", "gloves", "honey",
                                                     "lanterns", "paper",  "rope",   "tiles"};

// Distinct made-up words of one ending.
class Names {
 public:
  explicit Names(PythonRandom& random) : random_(random) {}

  template <std::size_t N>
  std::string make(const std::array<std::string_view, N>& ends) {
    while (true) {
      std::string name(kOnsets[random_.below(kOnsets.size())]);
      name += kMiddles[random_.below(kMiddles.size())];
      if (random_.below(2) == 1) name += kMiddles[random_.below(kMiddles.size())];
      name += ends[random_.below(N)];
      if (used_.insert(name).second) return name;
    }
  }

 private:
  PythonRandom& random_;
  std::set<std::string> used_;
};

struct Place {
  std::string name, region, river, mayor, goods, trade, birthplace;
  std::uint64_t year = 0;

  std::string entry() const {
    return fmt::format(
        "{}\n{} lies in the {} country, where the {} bends towards the sea. It was founded in {} "
        "and "
        "is known for its {}. Its mayor is {}.",
        name, name, region, river, year, goods, mayor);
  }
  std::string mayor_entry() const {
    return fmt::format("{}\n{} was born in {} and worked as a {} before taking office.", mayor,
                       mayor, birthplace, trade);
  }
};

std::vector<Place> make_places() {
  PythonRandom random(kSeed);
  Names names(random);
  std::vector<Place> places;
  std::string region;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    if (i % kPlacesPerRegion == 0) region = names.make(kPlaceEnds);
    Place place{.name = names.make(kPlaceEnds),
                .region = region,
                .river = names.make(kNameEnds),
                .mayor = names.make(kNameEnds) + " " + names.make(kNameEnds),
                .goods = std::string(kGoods[random.below(kGoods.size())]),
                .trade = std::string(kTrades[random.below(kTrades.size())]),
                .birthplace = names.make(kPlaceEnds),
                .year = random.randint(1100, 1890)};
    places.push_back(std::move(place));
  }
  return places;
}

std::size_t index_of(const QuestionSet& set, const std::string& document) {
  const auto it = std::lower_bound(set.documents.begin(), set.documents.end(), document);
  check(it != set.documents.end() && *it == document, "a document of the set");
  return static_cast<std::size_t>(it - set.documents.begin());
}

// What is asked about a place rotates, so that neighbouring samples differ in kind.
Question ask_one(const Place& place, std::size_t turn) {
  switch (turn % 4) {
    case 0:
      return {.text = fmt::format("Which river bends towards the sea at {}?", place.name),
              .answers = {place.river},
              .gold = {},
              .related = {}};
    case 1:
      return {.text = fmt::format("In which year was {} founded?", place.name),
              .answers = {std::to_string(place.year)},
              .gold = {},
              .related = {}};
    case 2:
      return {.text = fmt::format("What is {} known for?", place.name),
              .answers = {place.goods},
              .gold = {},
              .related = {}};
    default:
      return {.text = fmt::format("Who is the mayor of {}?", place.name),
              .answers = {place.mayor},
              .gold = {},
              .related = {}};
  }
}

Question ask_two(const Place& place, std::size_t turn) {
  if (turn % 2 == 0) {
    return {.text = fmt::format("What trade did the mayor of {} follow?", place.name),
            .answers = {place.trade},
            .gold = {},
            .related = {}};
  }
  return {.text = fmt::format("Where was the mayor of {} born?", place.name),
          .answers = {place.birthplace},
          .gold = {},
          .related = {}};
}

}  // namespace

QuestionSet synthetic_questions(int hops) {
  const std::vector<Place> places = make_places();
  QuestionSet set;
  for (const Place& place : places) {
    set.documents.push_back(place.entry());
    if (hops == 2) set.documents.push_back(place.mayor_entry());
  }
  std::sort(set.documents.begin(), set.documents.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    Question question = hops == 2 ? ask_two(places[i], i) : ask_one(places[i], i);
    question.gold.push_back(index_of(set, places[i].entry()));
    if (hops == 2) {
      question.gold.push_back(index_of(set, places[i].mayor_entry()));
    } else {
      const std::size_t first = i - i % kPlacesPerRegion;
      for (std::size_t k = first; k < first + kPlacesPerRegion; ++k) {
        if (k != i) question.related.push_back(index_of(set, places[k].entry()));
      }
    }
    set.questions.push_back(std::move(question));
  }
  return set;
}

}  // namespace elastic::datasets
