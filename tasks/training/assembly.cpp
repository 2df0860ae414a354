#include "tasks/training/assembly.h"

#include <numeric>

#include "tasks/training/wordings.h"

namespace elastic::tasks {

namespace {
constexpr std::int64_t kMostStock = 6;  // different sentences of one document
}  // namespace

Haystack draw_haystack(const MixSources& sources, MixRandom& random) {
  constexpr Filler kKinds[] = {Filler::kStock, Filler::kProse, Filler::kWords, Filler::kIds};
  Haystack haystack{.filler = kKinds[random.weighted({.35, .30, .20, .15})], .stock = {}};
  for (std::int64_t i = random.between(1, kMostStock); i > 0; --i) {
    haystack.stock.push_back(random.below(sources.stock_size()));
  }
  return haystack;
}

std::int64_t tokens_of(const std::vector<Piece>& pieces) {
  return std::accumulate(pieces.begin(), pieces.end(), std::int64_t{0},
                         [](std::int64_t sum, const Piece& piece) { return sum + piece.tokens(); });
}

Assembly::Assembly(const MixSources& sources, Piece opening)
    : sources_(sources), opening_(std::move(opening)) {}

void Assembly::ask(const std::string& question, const std::string& answer) {
  const std::string& stop = builtin_wordings().stop;
  const bool cut = !exchanges_.empty() && question.starts_with(stop);
  exchanges_.push_back(
      {.question = sources_.encoder().inside(cut ? question.substr(stop.size()) : question),
       .answer = sources_.encoder().inside(answer + stop)});
}

void Assembly::limit_questions(std::int64_t tokens) {
  while (exchanges_.size() > 1 && exchange_tokens() > tokens) exchanges_.pop_back();
}

std::int64_t Assembly::exchange_tokens() const {
  return std::accumulate(
      exchanges_.begin(), exchanges_.end(), std::int64_t{0},
      [](std::int64_t sum, const Exchange& exchange) { return sum + exchange.tokens(); });
}

std::int64_t Assembly::tokens() const {
  return opening_.tokens() + part_tokens_ + exchange_tokens();
}

void Assembly::add_part(const Piece& piece) {
  parts_.push_back(&piece);
  part_tokens_ += piece.tokens();
}

void Assembly::add_part(Piece&& piece) {
  add_part(static_cast<const Piece&>(kept_.emplace_back(std::move(piece))));
}

void Assembly::fill(const Haystack& haystack, std::int64_t room, std::int64_t reserved,
                    MixRandom& random) {
  Piece scratch;
  while (true) {
    const std::int64_t missing = room - reserved - tokens();
    const Piece& part = sources_.fill(haystack.filler, haystack.stock, random, scratch);
    if (part.tokens() > missing) return fill_end(haystack, missing, random);
    if (&part == &scratch) {
      add_part(std::move(scratch));
    } else {
      add_part(part);
    }
  }
}

// Words of one more sentence of prose, as RULER cuts its prose by words; other kinds end whole.
void Assembly::fill_end(const Haystack& haystack, std::int64_t missing, MixRandom& random) {
  if (haystack.filler != Filler::kProse || missing < 1) return;
  std::string text = random.pick(sources_.prose()).text;
  while (true) {
    const std::size_t blank = text.rfind(' ');
    if (blank == 0 || blank == std::string::npos) return;
    text.resize(blank);
    Piece piece = sources_.encoder().inside(text);
    if (piece.tokens() <= missing) return add_part(std::move(piece));
  }
}

void Assembly::insert(std::vector<Piece> inserts, const std::vector<std::size_t>& places) {
  std::vector<const Piece*> woven;
  woven.reserve(parts_.size() + inserts.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i <= parts_.size(); ++i) {
    for (; next < inserts.size() && (places[next] <= i || i == parts_.size()); ++next) {
      part_tokens_ += inserts[next].tokens();
      woven.push_back(&kept_.emplace_back(std::move(inserts[next])));
    }
    if (i < parts_.size()) woven.push_back(parts_[i]);
  }
  parts_ = std::move(woven);
}

MixDocument Assembly::finish() const {
  MixDocument document;
  document.document.ids.reserve(static_cast<std::size_t>(tokens()));
  document.add(opening_);
  for (const Piece* part : parts_) document.add(*part);
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    document.add(exchanges_[i].question);
    if (i == 0) document.document.prompt_tokens = document.tokens();
    document.add(exchanges_[i].answer, true);
  }
  return document;
}

}  // namespace elastic::tasks
