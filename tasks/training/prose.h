#pragma once

// Running text that no benchmark uses, a sentence at a time: sentences of our own with a cast of
// persons and places for each document, or those of text files of the user's (books in the public
// domain, say), from a random place on.
//
//   ProseStream prose(sources, random);
//   std::string sentence = prose.next();      // "Ada Holt mended the brass kettle in Fernwick."

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tasks/training/mix_random.h"

namespace elastic::tasks {

/// Sentences of the user's files, in the order of the files.
struct ProseSources {
  std::vector<std::string> sentences;
  double share = 0;  // of documents that are made of them
};

/// Sentences of plain text: cut behind . ! ? and at empty lines, white space folded. Throws
/// kNotFound / kIo, kCorrupt naming a file that is no UTF-8 text or too short for a document.
std::vector<std::string> read_sentences(const std::vector<std::filesystem::path>& files);

// Drawn words of our own.
std::string draw_person(MixRandom& random);  // "Ada Holt"
std::string draw_town(MixRandom& random);    // "Fernwick"
std::string draw_object(MixRandom& random);  // "brass kettle"
std::string draw_noun(MixRandom& random);    // "kettle"
std::string draw_adjective(MixRandom& random);

class ProseStream {
 public:
  /// Both must outlive the object.
  ProseStream(const ProseSources& sources, MixRandom& random);

  std::string next();

 private:
  MixRandom& random_;
  const std::vector<std::string>* sentences_ = nullptr;  // null: our own
  std::size_t at_ = 0;
  std::vector<std::string> persons_, towns_;
};

}  // namespace elastic::tasks
