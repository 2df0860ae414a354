#include "base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"

namespace elastic {
namespace {

constexpr double kMovingSeconds = 0.1;
constexpr double kPlainSeconds = 5;

// The line that stands on the terminal is `text` from now on.
void redraw(std::string_view text) {
  const std::string line = fmt::format("\r\x1b[K{}", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string progress_text(const ProgressState& s) {
  const bool by_items = s.total_work <= 0;
  const double done = by_items ? static_cast<double>(s.items - s.items_before) : s.work;
  const double all = by_items ? static_cast<double>(s.total_items - s.items_before) : s.total_work;
  const double share = all > 0 ? std::clamp(done / all, 0.0, 1.0) : 0;
  std::string text = fmt::format("{} {}/{}  ", s.name, s.items, s.total_items);
  if (!by_items) text += fmt::format("{:.0f}% of tokens  ", 100 * share);
  text += format_seconds(s.seconds);
  if (share > 0 && s.items < s.total_items) {
    text += fmt::format(", {} left", format_seconds(s.seconds * (1 - share) / share));
  }
  return s.label.empty() ? text : text + fmt::format("  {}", s.label);
}

Progress::Progress(std::string name, std::int64_t total_items, double total_work,
                   std::int64_t items_before)
    : name_(std::move(name)),
      items_(items_before),
      items_before_(items_before),
      total_items_(total_items),
      total_work_(total_work),
      moving_(stderr_is_terminal() && log_rank() == 0) {}

Progress::~Progress() {
  if (moving_ && items_ > items_before_) redraw("");
}

void Progress::advance(double work, std::string_view label) {
  ++items_;
  work_ += work;
  const double now = watch_.seconds();
  if (now < next_ && items_ < total_items_) return;
  next_ = now + (moving_ ? kMovingSeconds : kPlainSeconds);
  const std::string text = progress_text({.name = name_,
                                          .items = items_,
                                          .total_items = total_items_,
                                          .items_before = items_before_,
                                          .work = work_,
                                          .total_work = total_work_,
                                          .seconds = now,
                                          .label = label});
  if (!moving_) return log_info(text);
  redraw(visible(text));
}

ByteProgress::~ByteProgress() {
  if (shown_) redraw("");
}

void ByteProgress::update(std::int64_t done, std::int64_t total) {
  const std::int64_t quarter = total > 0 ? done * 4 / total : 0;
  std::string text = fmt::format("{}: {}", name_, format_bytes(done));
  if (total > 0) text += fmt::format(" of {}", format_bytes(total));
  if (stderr_is_terminal()) {
    redraw(visible(text));
    shown_ = true;
    return;
  }
  if (quarter > quarter_ && quarter < 4) log_info(text);
  quarter_ = std::max(quarter, quarter_);
}

}  // namespace elastic
