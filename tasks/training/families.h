#pragma once

// The families of the synthetic mixture: how one document of each is built. Retrieval families need
// distant text; robust ones (recent, frequent, common) are answered from what is near or from the
// whole in general.
//
//   MixRandom random(seed);
//   const DocumentShape shape{.length = 1024, .room = 900};
//   const MixDocument one = draw_document(find_family("vt"), shape, sources, random);

#include <cstdint>
#include <span>
#include <string_view>

#include "tasks/training/mix_sources.h"
#include "tasks/training/piece.h"

namespace elastic::tasks {

enum class Style { kBuiltin, kOwn, kRandomWords };

struct DocumentShape {
  std::int64_t length = 0;  // tokens of the curriculum's stage: decides on worked examples
  std::int64_t room = 0;    // tokens that the document may have, <= length
  std::int64_t max_questions = 16;
  double absent_share = 0;  // of questions, retrieval and recent: for what the document lacks
  Style style = Style::kBuiltin;
};

using DrawDocument = MixDocument (*)(const DocumentShape&, const MixSources&, MixRandom&);

struct Family {
  std::string_view name;
  std::string_view summary;
  bool robust = false;          // target t_rob instead of t_sen
  double weight = 1;            // share of documents, by default
  std::int64_t min_length = 0;  // stages below it leave the family out
  DrawDocument draw = nullptr;
};

std::span<const Family> families();

/// Throws kInvalidArgument with suggestions.
const Family& find_family(std::string_view name);

/// Cut to nothing longer than shape.room tokens; `task` is left 0.
MixDocument draw_document(const Family& family, const DocumentShape& shape,
                          const MixSources& sources, MixRandom& random);

/// Whether the next question asks for what the document lacks. Draws nothing at a share of 0.
bool draw_absent(const DocumentShape& shape, MixRandom& random);

// Families by file: needle_family.cpp, chain_family.cpp, list_family.cpp.
MixDocument draw_single(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_multikey(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_needles(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_uuids(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_multivalue(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_multiquery(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_recent(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_chain(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_frequent(const DocumentShape&, const MixSources&, MixRandom&);
MixDocument draw_common(const DocumentShape&, const MixSources&, MixRandom&);

}  // namespace elastic::tasks
