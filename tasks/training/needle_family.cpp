// Needles: sentences that give a name its value, among filler or among their like; questions over
// different ones of them.

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/ruler/generation.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/assembly.h"
#include "tasks/training/families.h"
#include "tasks/training/wordings.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kDenseLength = 1024;  // up to here answers may take half of the room
constexpr std::int64_t kRecentTokens = 150;  // from the end of the context

// One document's kind: what is drawn before any text is.
struct NeedleKind {
  std::int64_t keys = 1;    // 0 = as many lines as fit, no filler
  std::int64_t values = 1;  // per key
  std::int64_t asked = 1;   // keys per question
  ValueKind key = ValueKind::kWords, value = ValueKind::kNumbers;
  bool at_end = false;     // needles near the context's end
  double noise_share = 0;  // noise lines instead of prose, in RULER's wording
};

struct Fact {
  std::string key;
  std::vector<std::string> values;
};

class NeedleDrawer {
 public:
  NeedleDrawer(const NeedleKind& kind, const DocumentShape& shape, const MixSources& sources,
               MixRandom& random)
      : kind_(kind), shape_(shape), sources_(sources), random_(random), wording_(draw_wording()) {}

  MixDocument draw() {
    Assembly assembly(sources_, sources_.encoder().first(wording_.instruction));
    return kind_.keys == 0 ? draw_lines(assembly) : draw_filled(assembly);
  }

 private:
  NeedleWording draw_wording() const {
    switch (shape_.style) {
      case Style::kBuiltin:
        break;
      case Style::kOwn:
        return kind_.at_end ? recent_wording(random_) : own_needle_wording(random_);
      case Style::kRandomWords:
        return random_needle_wording(random_, sources_.words());
    }
    NeedleWording wording = builtin_wordings().needle;
    if (kind_.at_end) wording.instruction = recent_wording(random_).instruction;
    return wording;
  }

  std::string draw_value(ValueKind kind) {
    switch (kind) {
      case ValueKind::kWords:
        return sources_.draw_key(random_);
      case ValueKind::kNumbers:
        return draw_number(random_);
      case ValueKind::kUuids:
        break;
    }
    return draw_uuid(random_);
  }

  Fact draw_fact() {
    Fact fact;
    do {
      fact.key = draw_value(kind_.key);
    } while (within(fact.key, absent_) || !keys_.insert(fact.key).second);
    for (std::int64_t i = 0; i < kind_.values; ++i) fact.values.push_back(draw_value(kind_.value));
    return fact;
  }

  static bool within(const std::string& text, const std::vector<std::string>& keys) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const std::string& key) { return text.find(key) != std::string::npos; });
  }

  // A key of the document's kind that stands nowhere in it, not even within a longer one.
  std::string draw_absent_key() {
    std::string key;
    bool stands = true;
    while (stands) {
      key = draw_value(kind_.key);
      stands = within(key, absent_) || sources_.stands_in_a_word(key) ||
               std::any_of(keys_.begin(), keys_.end(), [&](const std::string& other) {
                 return other.find(key) != std::string::npos;
               });
    }
    return absent_.emplace_back(key);
  }

  std::string needle(const Fact& fact, const std::string& value) const {
    return fill_fields(wording_.needle, {{"key", fact.key}, {"value", value}});
  }

  // For these facts or, in their stead, for as many absent keys.
  void ask(Assembly& assembly, std::span<const Fact* const> facts) {
    const bool absent = draw_absent(shape_, random_);
    std::vector<std::string> keys, values;
    for (const Fact* fact : facts) {
      keys.push_back(absent ? draw_absent_key() : fact->key);
      values.insert(values.end(), fact->values.begin(), fact->values.end());
    }
    const std::string& question = values.size() == 1 ? wording_.question : wording_.many;
    assembly.ask(fill_fields(question, {{"query", join(keys, wording_.key_separator)}}),
                 absent ? std::string(kAbsentAnswer) : fmt::format(" {}.", join(values, ",")));
  }

  std::int64_t question_room() const {
    return shape_.length <= kDenseLength ? shape_.room / 2 : shape_.room / 4;
  }

  // Questions over shuffled facts, each fact at most once.
  void ask_all(Assembly& assembly, const std::vector<Fact>& facts) {
    std::vector<const Fact*> order;
    for (const Fact& fact : facts) order.push_back(&fact);
    random_.shuffle(order);
    const auto asked = std::min<std::size_t>(order.size(), static_cast<std::size_t>(kind_.asked));
    for (std::size_t next = 0; next + asked <= order.size(); next += asked) {
      if (assembly.questions() == shape_.max_questions) break;
      ask(assembly, std::span(order).subspan(next, asked));
      if (assembly.exchange_tokens() > question_room()) break;
    }
    assembly.limit_questions(question_room());
  }

  MixDocument draw_filled(Assembly& assembly) {
    std::vector<Fact> facts;
    for (std::int64_t i = 0; i < kind_.keys; ++i) facts.push_back(draw_fact());
    std::vector<std::pair<const Fact*, std::size_t>> needles;  // fact and which of its values
    for (const Fact& fact : facts) {
      for (std::size_t i = 0; i < fact.values.size(); ++i) needles.emplace_back(&fact, i);
    }
    random_.shuffle(needles);
    order_values(facts, needles);
    std::vector<Piece> pieces;
    std::int64_t needle_tokens = 0;
    for (const auto& [fact, index] : needles) {
      pieces.push_back(sources_.encoder().inside(needle(*fact, fact->values[index])));
      needle_tokens += pieces.back().tokens();
    }
    ask_all(assembly, facts);
    assembly.limit_questions(shape_.room - needle_tokens - assembly.tokens() +
                             assembly.exchange_tokens());
    assembly.fill(haystack(), shape_.room, needle_tokens, random_);
    const std::vector<std::size_t> places =
        kind_.at_end ? late_places(assembly, pieces.size(), needle_tokens)
                     : random_.places(assembly.parts() + 1, pieces.size());
    assembly.insert(std::move(pieces), places);
    return assembly.finish();
  }

  // The values of a key in the order of the text, which is the order of the answer.
  static void order_values(std::vector<Fact>& facts,
                           std::vector<std::pair<const Fact*, std::size_t>>& needles) {
    for (const Fact& fact : facts) {
      std::size_t next = 0;
      for (auto& [owner, index] : needles) {
        if (owner == &fact) index = next++;
      }
    }
  }

  Haystack haystack() {
    if (shape_.style != Style::kBuiltin) return draw_haystack(sources_, random_);
    const bool noise = random_.chance(kind_.noise_share);
    return {.filler = noise ? Filler::kNoise : Filler::kProse, .stock = {}};
  }

  // Places behind which few tokens of filler are left.
  std::vector<std::size_t> late_places(const Assembly& assembly, std::size_t count,
                                       std::int64_t needle_tokens) {
    std::size_t first = assembly.parts();
    std::int64_t behind = needle_tokens;
    while (first > 0 && behind + assembly.part_tokens(first - 1) <= kRecentTokens) {
      behind += assembly.part_tokens(--first);
    }
    std::vector<std::size_t> places = random_.places(assembly.parts() + 1 - first, count);
    for (std::size_t& place : places) place += first;
    return places;
  }

  // Nothing but needles, each on a line.
  MixDocument draw_lines(Assembly& assembly) {
    std::vector<Fact> facts;
    std::vector<Piece> lines;
    const auto add_line = [&] {
      facts.push_back(draw_fact());
      const std::string text = needle(facts.back(), facts.back().values.front());
      lines.push_back(sources_.encoder().inside(lines.empty() ? text : wording_.line_end + text));
      return lines.back().tokens();
    };
    const std::int64_t line_tokens = add_line();
    // Room for the questions first: as many as lines could be asked for.
    std::int64_t context = line_tokens;
    const std::int64_t reserved = std::min(question_room(), shape_.max_questions * 6 * line_tokens);
    while (assembly.tokens() + context + line_tokens <= shape_.room - reserved) {
      context += add_line();
    }
    ask_all(assembly, facts);
    assembly.limit_questions(shape_.room - context - assembly.tokens() +
                             assembly.exchange_tokens());
    for (Piece& line : lines) assembly.add_part(std::move(line));
    return finish_lines(assembly, line_tokens);
  }

  // More lines in front where the questions took less than was kept for them.
  MixDocument finish_lines(Assembly& assembly, std::int64_t line_tokens) {
    std::vector<Piece> more;
    std::int64_t tokens = assembly.tokens();
    while (tokens + line_tokens <= shape_.room) {
      const Fact fact = draw_fact();
      more.push_back(
          sources_.encoder().inside(wording_.line_end + needle(fact, fact.values.front())));
      if ((tokens += more.back().tokens()) > shape_.room) {
        more.pop_back();
        break;
      }
    }
    std::vector<std::size_t> places = random_.places(assembly.parts(), more.size());
    for (std::size_t& place : places) ++place;
    assembly.insert(std::move(more), places);
    return assembly.finish();
  }

  const NeedleKind& kind_;
  const DocumentShape& shape_;
  const MixSources& sources_;
  MixRandom& random_;
  NeedleWording wording_;
  std::unordered_set<std::string> keys_;
  std::vector<std::string> absent_;  // asked for, kept out of the text
};

MixDocument draw(const NeedleKind& kind, const DocumentShape& shape, const MixSources& sources,
                 MixRandom& random) {
  return NeedleDrawer(kind, shape, sources, random).draw();
}

// Short documents hold fewer needles: about 30 tokens each, half of the room at most.
std::int64_t up_to(std::int64_t most, const DocumentShape& shape, std::int64_t tokens_each) {
  return std::clamp<std::int64_t>(shape.room / 2 / tokens_each, 1, most);
}

constexpr std::int64_t kNumberNeedle = 30;  // tokens, about
constexpr std::int64_t kUuidNeedle = 60;

}  // namespace

MixDocument draw_single(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  NeedleKind kind{.value = random.chance(.35) ? ValueKind::kUuids : ValueKind::kNumbers,
                  .noise_share = .5};
  const bool uuids = kind.value == ValueKind::kUuids;
  if (random.chance(.5)) {
    kind.keys = random.between(1, up_to(4, shape, uuids ? kUuidNeedle : kNumberNeedle));
  }
  return draw(kind, shape, sources, random);
}

MixDocument draw_multikey(const DocumentShape& shape, const MixSources& sources,
                          MixRandom& random) {
  const std::int64_t most = up_to(12, shape, kNumberNeedle);
  return draw({.keys = random.between(std::min<std::int64_t>(4, most), most)}, shape, sources,
              random);
}

MixDocument draw_needles(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  return draw({.keys = 0}, shape, sources, random);
}

MixDocument draw_uuids(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  return draw({.keys = 0, .key = ValueKind::kUuids, .value = ValueKind::kUuids}, shape, sources,
              random);
}

MixDocument draw_multivalue(const DocumentShape& shape, const MixSources& sources,
                            MixRandom& random) {
  const std::int64_t values = shape.style == Style::kBuiltin ? 4 : random.between(2, 5);
  const std::int64_t keys = random.between(1, up_to(3, shape, values * kNumberNeedle));
  return draw({.keys = keys, .values = values}, shape, sources, random);
}

MixDocument draw_multiquery(const DocumentShape& shape, const MixSources& sources,
                            MixRandom& random) {
  const std::int64_t most = std::max<std::int64_t>(3, up_to(12, shape, 2 * kNumberNeedle));
  const std::int64_t asked = shape.style == Style::kBuiltin ? 4 : random.between(2, 5);
  const std::int64_t least = std::min<std::int64_t>(asked, most);
  return draw({.keys = random.between(least, most), .asked = asked}, shape, sources, random);
}

MixDocument draw_recent(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  return draw({.keys = random.between(1, 3), .at_end = true}, shape, sources, random);
}

}  // namespace elastic::tasks
