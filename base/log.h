#pragma once

// Talk on standard error: one line per message, never on standard output (that belongs to results).
// Ranks other than 0 tell errors alone.

#include <string_view>

namespace elastic {

void set_log_rank(int rank);
int log_rank();

void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

/// True where standard error is a terminal that wants colour and moving lines (NO_COLOR and
/// TERM=dumb are obeyed).
bool stderr_is_terminal();

}  // namespace elastic
