#pragma once

// What RULER's generators read, loaded at first use and shared by threads: word lists, essays and
// their sentences, question sets. The built-in profile replaces essays, questions and the large
// dictionary by generated ones and needs the word lists only.
//
//   const Sources sources({.ruler_folder = data / "ruler", .wordlist = "3.0.1"});
//   sources.keys()[17]

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "datasets/haystack.h"
#include "datasets/question_set.h"
#include "datasets/word_lists.h"
#include "tasks/ruler/punkt.h"

namespace elastic::tasks {

struct SourceOptions {
  std::filesystem::path ruler_folder;  // DATA/ruler
  std::string wordlist = "3.0.1";      // wonderwords version
  bool builtin = false;                // generated prose and documents of our own
};

/// Words by index, for lists that exist only as arithmetic.
struct WordSource {
  std::uint64_t size = 0;
  std::function<std::string(std::uint64_t)> at;
};

enum class QuestionSource { kSquad, kHotpotqa };

/// The catalogue entry that a file of the ruler folder belongs to, "ruler/essays".
std::string_view catalogue_name(std::string_view file);

/// Whether these bytes of the file are those of a copy that the catalogue knows.
bool is_published(std::string_view file, std::string_view sha256);

/// Throws kNotFound: the file, its licence, the command that fetches it, the profile without it.
[[noreturn]] void throw_missing_ruler(const std::filesystem::path& ruler_folder,
                                      std::string_view file);

class Sources {
 public:
  explicit Sources(SourceOptions options);

  // All throw kNotFound naming the file, the command that fetches it and the profile that needs
  // none; kCorrupt where a file is not what it should be. Thread-safe.
  const datasets::KeyPool& keys() const;
  const std::vector<std::string>& words() const;  // nouns, adjectives and verbs, sorted
  const WordSource& large_dictionary() const;     // for lists longer than words()
  const datasets::Haystack& essays() const;
  const PunktParameters& punkt() const;
  /// Sentences of the first `count` words of the essays (all where there are not as many).
  std::vector<std::string_view> essay_sentences(std::int64_t count) const;
  const datasets::QuestionSet& questions(QuestionSource source) const;

  /// sha256 of every file in `names` (relative to the ruler folder; absent ones left out), by name
  /// relative to the data folder. Hashed once. Thread-safe.
  std::map<std::string, std::string> hash_files(const std::vector<std::string>& names) const;

  const SourceOptions& options() const { return options_; }
  /// The question file that questions() reads, relative to the ruler folder.
  std::string question_file(QuestionSource source) const;

 private:
  template <typename T>
  struct Lazy {
    std::once_flag once;
    std::unique_ptr<const T> value;
  };
  template <typename T, typename Load>
  const T& get(Lazy<T>& lazy, Load load) const;
  std::filesystem::path require(const std::string& name) const;
  const datasets::WordLists& lists() const;

  SourceOptions options_;
  mutable std::mutex hashes_mutex_;
  mutable std::map<std::string, std::string> hashes_;
  mutable Lazy<datasets::WordLists> lists_;
  mutable Lazy<datasets::KeyPool> keys_;
  mutable Lazy<std::vector<std::string>> words_;
  mutable Lazy<std::vector<std::string>> english_;
  mutable Lazy<WordSource> large_dictionary_;
  mutable Lazy<datasets::Haystack> essays_;
  mutable Lazy<PunktParameters> punkt_;
  mutable Lazy<PrefixSentences> sentences_;
  mutable Lazy<datasets::QuestionSet> squad_, hotpotqa_;
};

}  // namespace elastic::tasks
