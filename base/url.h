#pragma once

// URLs as they may be shown: a password or a token in one must reach no log, error or record.

#include <string>
#include <string_view>

namespace elastic {

/// Without user name and password (all up to the last @, since a password may hold any sign) and
/// without what follows a ? or # (tokens, signatures), each shown as ***. With or without a scheme.
///   printable_url("https://me:pa/ss@host/x?token=1")  ->  "https://***@host/x?***"
std::string printable_url(std::string_view url);

}  // namespace elastic
