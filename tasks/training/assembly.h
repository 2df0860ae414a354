#pragma once

// How a synthetic document is put together: opening, context parts with needles among them, and one
// or more questions with their answers behind the one context ("dense answers").
//
//   Assembly assembly(sources, sources.encoder().first(instruction));
//   assembly.ask("\nQuestion: ...", " 1234567.");
//   assembly.fill(haystack, room, tokens_of(needles), random);
//   assembly.insert(std::move(needles), random.places(assembly.parts() + 1, 4));
//   MixDocument document = assembly.finish();

#include <deque>
#include <string>
#include <vector>

#include "tasks/training/mix_sources.h"
#include "tasks/training/piece.h"

namespace elastic::tasks {

struct Exchange {
  Piece question;  // answer prefix included, without the stop that may begin it
  Piece answer;    // stop included
  std::int64_t tokens() const { return question.tokens() + answer.tokens(); }
};

struct Haystack {
  Filler filler = Filler::kNoise;
  std::vector<std::size_t> stock;  // sentences of this document, for Filler::kStock
};

/// A haystack of our own kinds (stock 35 %, prose 30 %, words 20 %, ids 15 %).
Haystack draw_haystack(const MixSources& sources, MixRandom& random);

class Assembly {
 public:
  /// `sources` must outlive the object.
  Assembly(const MixSources& sources, Piece opening);

  /// The first question keeps the stop that it begins with; behind an answer, which ends in the
  /// stop, a question loses it.
  void ask(const std::string& question, const std::string& answer);
  /// Unasks questions, the last first, while they have more than `tokens`; one always stays.
  void limit_questions(std::int64_t tokens);
  std::int64_t questions() const { return static_cast<std::int64_t>(exchanges_.size()); }
  std::int64_t exchange_tokens() const;
  std::int64_t tokens() const;  // of everything so far

  void add_part(const Piece& piece);  // must outlive the object
  void add_part(Piece&& piece);
  std::size_t parts() const { return parts_.size(); }
  std::int64_t part_tokens(std::size_t part) const { return parts_[part]->tokens(); }

  /// Filler until the document, with `reserved` tokens still to come, has `room` tokens; the last
  /// part is cut to fit.
  void fill(const Haystack& haystack, std::int64_t room, std::int64_t reserved, MixRandom& random);

  /// `inserts` in their order, before the parts at `places` (ascending).
  void insert(std::vector<Piece> inserts, const std::vector<std::size_t>& places);

  MixDocument finish() const;

 private:
  void fill_end(const Haystack& haystack, std::int64_t missing, MixRandom& random);

  const MixSources& sources_;
  Piece opening_;
  std::deque<Piece> kept_;
  std::vector<const Piece*> parts_;
  std::int64_t part_tokens_ = 0;
  std::vector<Exchange> exchanges_;
};

std::int64_t tokens_of(const std::vector<Piece>& pieces);

}  // namespace elastic::tasks
