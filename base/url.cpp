#include "base/url.h"

namespace elastic {

std::string printable_url(std::string_view url) {
  constexpr std::string_view kHidden = "***";
  std::string shown;
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    shown = url.substr(0, scheme + 3);
    url.remove_prefix(scheme + 3);
  }
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    shown += kHidden;
    url.remove_prefix(at);
  }
  const std::size_t query = url.find_first_of("?#");
  shown += url.substr(0, query);
  if (query != std::string_view::npos) (shown += url[query]) += kHidden;
  return shown;
}

}  // namespace elastic
