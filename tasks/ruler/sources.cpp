#include "tasks/ruler/sources.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "datasets/catalog.h"
#include "datasets/sources.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kProseSeed = 1;
constexpr std::int64_t kProseWords = 400000;

constexpr std::pair<std::string_view, std::string_view> kCatalogueNames[] = {
    {"PaulGrahamEssays", "ruler/essays"},
    {"english_words", "ruler/english-words"},
    {"hotpot", "ruler/hotpotqa"},
    {"prompts-gen-a", "ruler/prompts-gen-a"},
    {"prompts-gen-b", "ruler/prompts-gen-b"},
    {"punkt", "ruler/punkt"},
    {"squad", "ruler/squad"},
    {"wonderwords-2.2.0", "ruler/wonderwords-2.2.0"},
    {"wonderwords-3.0.1", "ruler/wonderwords-3.0.1"},
};

}  // namespace

Sources::Sources(SourceOptions options) : options_(std::move(options)) {}

template <typename T, typename Load>
const T& Sources::get(Lazy<T>& lazy, Load load) const {
  std::call_once(lazy.once, [&] { lazy.value = load(); });
  return *lazy.value;
}

std::string_view catalogue_name(std::string_view file) {
  for (const auto& [beginning, source] : kCatalogueNames) {
    if (file.starts_with(beginning)) return source;
  }
  throw std::logic_error("a RULER file that is in no catalogue entry");
}

bool is_published(std::string_view file, std::string_view sha256) {
  const auto files = datasets::find_sources(catalogue_name(file)).front()->files;
  return std::any_of(files.begin(), files.end(), [&](const datasets::DataFile& one) {
    return datasets::find_identity(one, sha256) != nullptr;
  });
}

void throw_missing_ruler(const fs::path& ruler_folder, std::string_view file) {
  const std::string_view source = catalogue_name(file);
  const bool lists = file.starts_with("wonderwords");
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("{}: {}{}", (ruler_folder / file).string(), datasets::missing_data(source),
                  lists ? ""
                        : "; or use --profile ruler@builtin, which needs no download "
                          "but the word lists"));
}

fs::path Sources::require(const std::string& name) const {
  const fs::path path = options_.ruler_folder / name;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw_missing_ruler(options_.ruler_folder, name);
  return path;
}

// The official name where it exists, else the first file, by name, with the usual beginning.
std::string Sources::question_file(QuestionSource source) const {
  const bool squad = source == QuestionSource::kSquad;
  const std::vector<std::string> official =
      squad ? std::vector<std::string>{"squad_dev-v2.0.json", "dev-v2.0.json"}
            : std::vector<std::string>{"hotpot_dev_distractor_v1.json"};
  std::error_code ignored;
  for (const std::string& name : official) {
    if (fs::exists(options_.ruler_folder / name, ignored)) return name;
  }
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(options_.ruler_folder, ignored)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(squad ? "squad_dev-v2.0" : "hotpot") && name.ends_with(".json")) {
      found.push_back(std::move(name));
    }
  }
  return found.empty() ? official.front() : *std::min_element(found.begin(), found.end());
}

const datasets::WordLists& Sources::lists() const {
  return get(lists_, [this] {
    const std::string folder = "wonderwords-" + options_.wordlist;
    for (const char* list : {"nounlist.txt", "adjectivelist.txt", "verblist.txt"}) {
      require(folder + "/" + list);
    }
    return std::make_unique<datasets::WordLists>(
        datasets::load_word_lists(options_.ruler_folder / folder));
  });
}

const datasets::KeyPool& Sources::keys() const {
  return get(keys_, [this] {
    return std::make_unique<datasets::KeyPool>(lists().adjectives, lists().nouns);
  });
}

const std::vector<std::string>& Sources::words() const {
  return get(words_, [this] {
    return std::make_unique<std::vector<std::string>>(datasets::all_words(lists()));
  });
}

const WordSource& Sources::large_dictionary() const {
  return get(large_dictionary_, [this] {
    if (options_.builtin) {
      const datasets::KeyPool& pool = keys();
      return std::make_unique<WordSource>(
          WordSource{pool.size(), [&pool](std::uint64_t index) { return pool[index]; }});
    }
    const std::vector<std::string>& words = get(english_, [this] {
      return std::make_unique<std::vector<std::string>>(
          datasets::load_english_words(require("english_words.json")));
    });
    return std::make_unique<WordSource>(
        WordSource{words.size(), [&words](std::uint64_t index) { return words[index]; }});
  });
}

const datasets::Haystack& Sources::essays() const {
  return get(essays_, [this] {
    return options_.builtin ? std::make_unique<datasets::Haystack>(
                                  datasets::synthetic_prose(lists(), kProseSeed, kProseWords))
                            : std::make_unique<datasets::Haystack>(
                                  datasets::load_essays(require("PaulGrahamEssays.json")));
  });
}

const PunktParameters& Sources::punkt() const {
  return get(punkt_, [this] {
    if (options_.builtin) return std::make_unique<PunktParameters>();
    const std::string folder = "punkt_tab_english";
    for (const char* file :
         {"abbrev_types.txt", "collocations.tab", "sent_starters.txt", "ortho_context.tab"}) {
      require(folder + "/" + file);
    }
    return std::make_unique<PunktParameters>(load_punkt(options_.ruler_folder / folder));
  });
}

std::vector<std::string_view> Sources::essay_sentences(std::int64_t count) const {
  const std::string_view prefix = essays().prefix(count);
  const std::string_view text = essays().prefix(essays().word_count());
  const PrefixSentences& sentences =
      get(sentences_, [&] { return std::make_unique<PrefixSentences>(punkt(), text); });
  return sentences.sentences(prefix.size());
}

const datasets::QuestionSet& Sources::questions(QuestionSource source) const {
  if (source == QuestionSource::kSquad) {
    return get(squad_, [&] {
      return std::make_unique<datasets::QuestionSet>(
          options_.builtin ? datasets::synthetic_questions(1)
                           : datasets::load_squad(require(question_file(source))));
    });
  }
  return get(hotpotqa_, [&] {
    return std::make_unique<datasets::QuestionSet>(
        options_.builtin ? datasets::synthetic_questions(2)
                         : datasets::load_hotpotqa(require(question_file(source))));
  });
}

std::map<std::string, std::string> Sources::hash_files(
    const std::vector<std::string>& names) const {
  const std::lock_guard lock(hashes_mutex_);
  std::map<std::string, std::string> ids;
  std::error_code ignored;
  for (const std::string& name : names) {
    const fs::path path = options_.ruler_folder / name;
    if (!fs::exists(path, ignored)) continue;
    std::string& hash = hashes_[name];
    if (hash.empty()) hash = sha256_file(path);
    ids["ruler/" + name] = hash;
  }
  return ids;
}

}  // namespace elastic::tasks
