#pragma once

// RULER's prompt texts as data: the constants of upstream's generator files turned into the JSON
// prompt pack that the program reads (format: docs/data.md). Upstream's wording is never part of
// this program; it passes through on the user's machine.
//
//   Json pack = build_prompt_pack(sources, {.profile = "ruler@gen-b", ...});
//   write_file_atomic(path, prompt_pack_text(pack));

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace elastic::datasets {

struct PackOrigin {
  std::string profile;     // "ruler@gen-a"
  std::string repository;  // "owner/name"
  std::string commit;
  std::string licence = "Apache-2.0";
};

/// Files of upstream's folder scripts/data that hold the texts.
std::span<const std::string_view> prompt_source_files();

/// `sources`: text by the names of prompt_source_files(). Throws kCorrupt naming file and constant.
Json build_prompt_pack(const std::map<std::string, std::string>& sources, const PackOrigin& origin);

/// The bytes of a pack file.
std::string prompt_pack_text(const Json& pack);

/// The pack of a checkout of upstream: which generation it is, is told from its code; the commit
/// from its .git folder. Nothing where `checkout` is no such folder.
std::optional<Json> prompt_pack_of_checkout(const std::filesystem::path& checkout);

/// Throws kCorrupt naming `source` and key where a file is no prompt pack; returns its profile.
std::string check_prompt_pack(const Json& pack, const std::string& source);

/// The origin of the pack that the catalogue has for a profile.
PackOrigin official_pack_origin(std::string_view profile);

}  // namespace elastic::datasets
