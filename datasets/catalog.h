#pragma once

// Where data comes from: one row per source with its files, mirrors, hashes and licence. No data is
// part of this program; a source is fetched from upstream, or imported from a file the user has,
// and verified by size and SHA-256 (docs/data.md).
//
//   for (const DataSource* source : find_sources("ruler")) ...          // a suite or one source
//   throw Error(ErrorKind::kNotFound, missing_data("ruler/squad"));

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::datasets {

/// One set of bytes that is accepted for a file, and what people should call it.
struct Identity {
  std::string_view sha256;
  std::int64_t bytes = 0;
  std::string_view label;
};

struct DataFile {
  std::string_view path;    // below the data folder
  std::string_view remote;  // kFiles: appended to a mirror; kArchive: the member's name
  std::span<const Identity> identities;  // the first is what a fetch brings
};

enum class SourceKind {
  kFiles,       // each file is downloaded as it is
  kArchive,     // files are members of one zip archive
  kPromptPack,  // built from the prompt constants of upstream's Python files
  kImportOnly,  // cannot be fetched; the user brings it
};

/// What the bytes must look like where no hash tells (import recognises files by it).
enum class Shape {
  kAny,
  kEssays,      // {"text": "..."}
  kPromptPack,  // {"schema_version": 1, "profile": "ruler@...", "texts", "tasks", ...}
  kSquad,       // {"data": [{"title", "paragraphs": [...]}]}
  kHotpot,      // [{"question", "answer", "context": [[title, [sentence]]]}]
  kWordTable,   // {"0": "word", ...}
  kRows,        // JSON lines with input, context, answers
  kChoiceRows,  // JSON lines with question, choice_A, ..., context, answer
  kLines,       // text lines
};

struct DataSource {
  std::string_view name;  // "ruler/squad": the suite before the slash
  std::string_view summary;
  std::string_view licence;  // "none declared" where upstream names none
  SourceKind kind = SourceKind::kFiles;
  Shape shape = Shape::kAny;
  std::span<const DataFile> files;            // none: whatever the name pattern finds
  std::span<const std::string_view> mirrors;  // URL prefixes, tried in order
  std::string_view archive_remote;            // kArchive, kPromptPack: appended to a mirror
  Identity archive;                           // kArchive; no hash where none is pinned
  // Files of other bytes are accepted and called an unknown corpus: there is no single identity.
  bool open = false;
  bool optional = false;          // an alternative of another source; not part of its suite's fetch
  std::string_view name_pattern;  // other file names accepted beside: "ruler/hotpot*.json"
  std::string_view advice;        // where to get it, where it cannot be fetched
};

std::span<const DataSource> catalog();

/// Every source of a suite ("ruler": all but the optional ones) or the one of that name. Throws
/// kInvalidArgument with suggestions.
std::vector<const DataSource*> find_sources(std::string_view name);

/// The text for absent data: what is missing, its licence, and the commands that bring it.
std::string missing_data(std::string_view source_name);

}  // namespace elastic::datasets
