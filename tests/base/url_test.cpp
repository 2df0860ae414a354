#include "base/url.h"

#include <gtest/gtest.h>

namespace elastic {
namespace {

TEST(Url, ShowsNeitherPasswordsNorTokens) {
  const std::pair<const char*, const char*> rows[] = {
      {"https://host/a/b.json", "https://host/a/b.json"},
      {"host/a", "host/a"},
      {"https://me:secret@host/a", "https://***@host/a"},
      {"me:secret@host/a", "***@host/a"},
      {"https://me:sec/ret@host/a", "https://***@host/a"},
      {"https://me:sec?re#t@host/a", "https://***@host/a"},
      {"https://me:sec@ret@host/a", "https://***@host/a"},
      {"https://secret@host:8080", "https://***@host:8080"},
      {"https://host/a?token=secret", "https://host/a?***"},
      {"host/a#secret", "host/a#***"},
      {"", ""},
  };
  for (const auto& [url, shown] : rows) EXPECT_EQ(printable_url(url), shown) << url;
}

}  // namespace
}  // namespace elastic
