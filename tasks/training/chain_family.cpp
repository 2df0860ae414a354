// Variable tracking: chains of assignments among filler; the variables that hold a value are asked
// for. In RULER's wording a worked example stands in front of longer documents.

#include <algorithm>

#include "base/text.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/assembly.h"
#include "tasks/training/families.h"
#include "tasks/training/wordings.h"

namespace elastic::tasks {
namespace {

constexpr int kNames = 5;  // of a chain
constexpr int kNameLetters = 5;
constexpr int kExampleLetters = 3;
constexpr std::int64_t kExampleTokens = 500;
constexpr std::int64_t kMostChains = 3;
constexpr std::int64_t kChainTokens = 90;  // links of one chain, about

struct Chain {
  std::vector<std::string> names;
  std::string value;
  std::vector<std::string> links;
};

std::string draw_name(int letters, MixRandom& random) {
  std::string name;
  for (int i = 0; i < letters; ++i) name += static_cast<char>('A' + random.below(26));
  return name;
}

std::string draw_value(MixRandom& random) { return std::to_string(random.between(10000, 99998)); }

// `taken`: names and values of the document, which differ between its chains.
Chain draw_names(const ChainWording& wording, int letters, std::vector<std::string>& taken,
                 MixRandom& random) {
  const auto fresh = [&](const auto& draw) {
    std::string drawn;
    do {
      drawn = draw();
    } while (std::find(taken.begin(), taken.end(), drawn) != taken.end());
    return taken.emplace_back(drawn);
  };
  Chain chain;
  chain.value = fresh([&] { return draw_value(random); });
  for (int i = 0; i < kNames; ++i) {
    chain.names.push_back(fresh([&] { return draw_name(letters, random); }));
    chain.links.push_back(
        i == 0 ? fill_fields(wording.first_link, {{"name", chain.names[0]}, {"value", chain.value}})
               : fill_fields(wording.link,
                             {{"name", chain.names[static_cast<std::size_t>(i)]},
                              {"previous", chain.names[static_cast<std::size_t>(i - 1)]}}));
  }
  return chain;
}

std::string question_of(const ChainWording& wording, const std::string& value) {
  return fill_fields(wording.question, {{"query", value}});
}

// A value that no variable of the document or of its worked example holds.
std::string draw_absent_value(const std::string& opening, std::vector<std::string>& taken,
                              MixRandom& random) {
  std::string value;
  do {
    value = draw_value(random);
  } while (std::find(taken.begin(), taken.end(), value) != taken.end() ||
           opening.find(value) != std::string::npos);
  return taken.emplace_back(value);
}

// The example with its answers and an empty line, all of noise lines.
std::string draw_example(const ChainWording& wording, const MixSources& sources,
                         MixRandom& random) {
  std::vector<std::string> taken;
  const Chain chain = draw_names(wording, kExampleLetters, taken, random);
  Assembly assembly(sources, sources.encoder().first(wording.instruction));
  assembly.ask(question_of(wording, chain.value), " " + join(chain.names, " "));
  std::vector<Piece> links;
  for (const std::string& link : chain.links) links.push_back(sources.encoder().inside(link));
  assembly.fill({.filler = Filler::kNoise, .stock = {}}, kExampleTokens, tokens_of(links), random);
  const std::vector<std::size_t> places = random.places(assembly.parts(), links.size());
  assembly.insert(std::move(links), places);
  return assembly.finish().text + "\n";
}

// Links of several chains, each chain in its order.
std::vector<Piece> weave(const std::vector<Chain>& chains, const MixSources& sources,
                         MixRandom& random) {
  std::vector<std::size_t> turns;
  for (std::size_t i = 0; i < chains.size(); ++i) turns.insert(turns.end(), kNames, i);
  random.shuffle(turns);
  std::vector<std::size_t> next(chains.size());
  std::vector<Piece> links;
  links.reserve(turns.size());
  for (const std::size_t turn : turns) {
    links.push_back(sources.encoder().inside(chains[turn].links[next[turn]++]));
  }
  return links;
}

}  // namespace

MixDocument draw_chain(const DocumentShape& shape, const MixSources& sources, MixRandom& random) {
  const bool builtin = shape.style == Style::kBuiltin;
  const ChainWording wording = builtin ? builtin_wordings().chain : own_chain_wording(random);
  const bool with_example = builtin && shape.length >= builtin_wordings().examples_from &&
                            shape.room > 2 * kExampleTokens - kChainTokens;
  std::string opening = with_example ? draw_example(wording, sources, random) : "";
  opening += wording.instruction;
  std::vector<std::string> taken;
  std::vector<Chain> chains;
  const std::int64_t free = shape.room - (with_example ? kExampleTokens : 0);
  const std::int64_t most = std::clamp<std::int64_t>(free / 3 / kChainTokens, 1,
                                                     std::min(kMostChains, shape.max_questions));
  for (std::int64_t i = random.chance(.5) ? 1 : random.between(1, most); i > 0; --i) {
    chains.push_back(draw_names(wording, kNameLetters, taken, random));
  }
  Assembly assembly(sources, sources.encoder().first(opening));
  std::vector<Piece> links = weave(chains, sources, random);
  random.shuffle(chains);
  for (const Chain& chain : chains) {
    if (draw_absent(shape, random)) {
      assembly.ask(question_of(wording, draw_absent_value(opening, taken, random)),
                   std::string(kAbsentAnswer));
    } else {
      assembly.ask(question_of(wording, chain.value), " " + join(chain.names, " "));
    }
  }
  assembly.limit_questions(shape.room / 2);
  const Haystack haystack =
      builtin ? Haystack{.filler = Filler::kNoise, .stock = {}} : draw_haystack(sources, random);
  assembly.fill(haystack, shape.room, tokens_of(links), random);
  // Behind every link comes filler, as in RULER, while there is as much.
  const std::vector<std::size_t> places = random.places(assembly.parts(), links.size());
  assembly.insert(std::move(links), places);
  return assembly.finish();
}

}  // namespace elastic::tasks
