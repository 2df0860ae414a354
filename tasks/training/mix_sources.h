#pragma once

// What synthetic documents are filled with, turned into ids once: noise lines, stock sentences,
// grammar sentences, random words, random token ids.
// Read-only after construction, so shared by threads.
//
//   const MixSources sources(tokenizer, word_list_folder, seed);
//   const Piece& sentence = random.pick(sources.prose());

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/training/mix_random.h"
#include "tasks/training/piece.h"

namespace elastic::tasks {

enum class Filler { kNoise, kStock, kProse, kWords, kIds };

class MixSources {
 public:
  /// `word_lists`: the folder with nounlist.txt and its companions; `seed` draws the sentences.
  MixSources(const engine::Tokenizer& tokenizer, const std::filesystem::path& word_lists,
             std::uint64_t seed);

  const PieceEncoder& encoder() const { return encoder_; }
  const std::vector<std::string>& words() const { return words_; }
  const std::vector<Piece>& word_pieces() const { return word_pieces_; }  // " word"
  const std::vector<Piece>& prose() const { return prose_; }              // " sentence."

  std::string draw_key(MixRandom& random) const;  // "adjective-noun"
  /// Whether a word of the lists has `key` in it, as `hard-hat` has.
  bool stands_in_a_word(std::string_view key) const;

  /// The next part of a context of one kind; `scratch` keeps parts that are made on the spot.
  const Piece& fill(Filler filler, const std::vector<std::size_t>& stock, MixRandom& random,
                    Piece& scratch) const;
  std::size_t stock_size() const { return stock_.size(); }

 private:
  PieceEncoder encoder_;
  std::vector<std::string> adjectives_, nouns_, words_;
  std::vector<std::string> compounds_;  // words with a hyphen
  std::vector<Piece> word_pieces_, prose_, stock_;
  Piece noise_;
  std::vector<std::int32_t> plain_ids_;  // ids that stand for printable text
};

/// The folder of word lists that synthetic text is made of; `data_dir` empty: the usual data
/// folder. Throws kNotFound naming the missing list and the command that brings it.
std::filesystem::path find_word_lists(const std::string& data_dir);

/// A version-4 uuid, lower case.
std::string draw_uuid(MixRandom& random);
/// Seven digits, the first not 0.
std::string draw_number(MixRandom& random);

}  // namespace elastic::tasks
