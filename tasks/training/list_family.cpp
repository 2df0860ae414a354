// Words that come back: the most frequent of a stream, RULER's three most frequent coded words and
// its ten most common words of a numbered list. Answered from the whole in general, so robust
// against sparse attention.

#include <algorithm>

#include "base/text.h"
#include "tasks/ruler/generation.h"
#include "tasks/training/assembly.h"
#include "tasks/training/families.h"
#include "tasks/training/wordings.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kFrequentBudget = 50;  // tokens that RULER keeps for the answer
constexpr std::int64_t kTokensPerWord = 50;   // of the length, per word of the vocabulary
constexpr std::size_t kFrequentAnswers = 3;
constexpr std::size_t kCommonAnswers = 10;
constexpr std::int64_t kLongList = 4096;  // tokens from which common words come 30 times
constexpr std::int64_t kItemTokens = 7;   // of a numbered list, about

std::string draw_code(MixRandom& random) {
  std::string word;
  for (int i = 0; i < 6; ++i) word += static_cast<char>('a' + random.below(26));
  return word;
}

// RULER's coded text: a row of dots is the most frequent word, the next three are the answer.
MixDocument draw_coded(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  const ListWording& wording = builtin_wordings().frequent;
  Assembly assembly(sources, sources.encoder().first(wording.instruction));
  const std::int64_t size =
      std::max<std::int64_t>(static_cast<std::int64_t>(kFrequentAnswers) + 2,
                             (shape.length - kFrequentBudget) / kTokensPerWord);
  std::vector<Piece> vocabulary = {sources.encoder().inside(" ...")};
  while (static_cast<std::int64_t>(vocabulary.size()) < size) {
    vocabulary.push_back(sources.encoder().inside(" " + draw_code(random)));
  }
  std::string answer;
  for (std::size_t i = 1; i <= kFrequentAnswers; ++i) answer += vocabulary[i].text;
  assembly.ask(wording.question, answer + ".");
  const std::int64_t room = shape.room - assembly.tokens();
  const auto tokens_at = [&](std::int64_t words) {
    std::int64_t tokens = 0;
    for (std::int64_t rank = 1; rank <= size; ++rank) {
      tokens += zipf_count(words, rank) * vocabulary[static_cast<std::size_t>(rank - 1)].tokens();
    }
    return tokens;
  };
  constexpr std::int64_t kProbe = 10000;
  std::int64_t words = kProbe * room / std::max<std::int64_t>(tokens_at(kProbe), 1);
  while (words > 0 && tokens_at(words) > room) words -= 1 + words / 100;
  std::vector<const Piece*> stream;
  for (std::int64_t rank = 1; rank <= size; ++rank) {
    stream.insert(stream.end(), static_cast<std::size_t>(zipf_count(words, rank)),
                  &vocabulary[static_cast<std::size_t>(rank - 1)]);
  }
  random.shuffle(stream);
  for (const Piece* word : stream) assembly.add_part(*word);
  return assembly.finish();
}

// A stream of words, one of them at half of the places.
MixDocument draw_stream(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  const ListWording wording = own_frequent_wording(random);
  Assembly assembly(sources, sources.encoder().first(wording.instruction));
  const Piece& frequent = random.pick(sources.word_pieces());
  assembly.ask(wording.question, frequent.text + ".");
  while (true) {
    const Piece& word = random.chance(.5) ? frequent : random.pick(sources.word_pieces());
    if (assembly.tokens() + word.tokens() > shape.room) return assembly.finish();
    assembly.add_part(word);
  }
}

struct NumberedList {
  std::vector<std::string> items;                 // "1. word", in order
  std::vector<std::string> drawn, by_appearance;  // the common words
};

NumberedList draw_list(std::size_t words, int common, int uncommon, const MixSources& sources,
                       MixRandom& random) {
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < words; ++i) {
    std::size_t word = 0;
    do {
      word = random.below(sources.words().size());
    } while (i < kCommonAnswers && std::find(drawn.begin(), drawn.end(), word) != drawn.end());
    drawn.push_back(word);
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    order.insert(order.end(), static_cast<std::size_t>(i < kCommonAnswers ? common : uncommon), i);
  }
  random.shuffle(order);
  NumberedList list;
  for (std::size_t i = 0; i < kCommonAnswers; ++i) list.drawn.push_back(sources.words()[drawn[i]]);
  for (const std::size_t place : order) {
    const std::string& word = sources.words()[drawn[place]];
    list.items.push_back(std::to_string(list.items.size() + 1) + ". " + word);
    const auto& seen = list.by_appearance;
    if (place < kCommonAnswers && std::find(seen.begin(), seen.end(), word) == seen.end()) {
      list.by_appearance.push_back(word);
    }
  }
  return list;
}

std::string numbered(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += " " + std::to_string(i + 1) + ". " + words[i];
  return text;
}

}  // namespace

MixDocument draw_frequent(const DocumentShape& shape, const MixSources& sources,
                          MixRandom& random) {
  return shape.style == Style::kBuiltin ? draw_coded(shape, sources, random)
                                        : draw_stream(shape, sources, random);
}

MixDocument draw_common(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  const ListWording& wording = builtin_wordings().common;
  const bool is_long = shape.length >= kLongList;
  std::string opening;
  if (shape.length >= builtin_wordings().examples_from) {
    const NumberedList shot =
        is_long ? draw_list(40, 10, 3, sources, random) : draw_list(20, 3, 1, sources, random);
    opening = wording.instruction + join(shot.items, " ") + wording.question +
              numbered(shot.drawn) + "\n";
  }
  opening += wording.instruction;
  Assembly assembly(sources, sources.encoder().first(std::move(opening)));
  // The answer's own tokens are known once the list is drawn: room for ten items is kept for it.
  const std::int64_t question = sources.encoder().inside(wording.question).tokens();
  const std::int64_t room = shape.room - assembly.tokens() - question -
                            kItemTokens * static_cast<std::int64_t>(kCommonAnswers);
  const std::int64_t items = std::max<std::int64_t>(room / kItemTokens, 30);
  const int uncommon = is_long ? 3 : 1;
  const int common = static_cast<int>(std::clamp<std::int64_t>(items / 16, 2, is_long ? 30 : 6));
  const std::int64_t others = std::max<std::int64_t>(
      (items - static_cast<std::int64_t>(kCommonAnswers) * common) / uncommon, 5);
  const NumberedList list = draw_list(kCommonAnswers + static_cast<std::size_t>(others), common,
                                      uncommon, sources, random);
  assembly.ask(wording.question, numbered(list.by_appearance));
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    assembly.add_part(sources.encoder().inside((i == 0 ? "" : " ") + list.items[i]));
  }
  return assembly.finish();
}

}  // namespace elastic::tasks
