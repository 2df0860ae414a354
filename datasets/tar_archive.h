#pragma once

// Members of a gzip-compressed tar archive (source packages of PyPI), read in one pass by
// libarchive and never unpacked to disk. Names are compared with those asked for; nothing else of
// the archive is used.
//
//   auto files = read_tar_gz("jieba-0.42.1.tar.gz", {"jieba-0.42.1/jieba/dict.txt"});

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace elastic::datasets {

/// Throws kNotFound for an absent file or member, kCorrupt naming archive and what is wrong.
std::map<std::string, std::string> read_tar_gz(const std::filesystem::path& path,
                                               const std::vector<std::string>& members);

}  // namespace elastic::datasets
