#include "harness/run/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <span>
#include <thread>

#include "base/hash.h"
#include "base/log.h"

namespace elastic::harness {
namespace {

void add(Sha256& hash, std::string_view part) {
  hash.update(fmt::format("{}:", part.size())).update(part);
}

std::string content_hash(const tasks::Sample& sample) {
  Sha256 hash;
  add(hash, sample.input);
  add(hash, sample.answer_prefix);
  for (const std::string& reference : sample.references) add(hash, reference);
  return hash.hex();
}

std::string data_id(const PreparedCell& cell, const tasks::LoadRequest& request) {
  Sha256 hash;
  add(hash, cell.task->profile);
  add(hash, cell.task->task->info().name);
  add(hash, std::to_string(cell.length));
  add(hash, std::to_string(cell.samples.size()));
  add(hash, std::to_string(request.seed));
  add(hash, request.tokenizer == nullptr ? "" : request.tokenizer->sha256());
  add(hash, request.model_template);
  for (const std::string& content : cell.content_sha256) add(hash, content);
  return hash.hex();
}

PreparedCell load_cell(const PlannedCell& planned, const tasks::LoadRequest& request) {
  PreparedCell cell{.task = planned.task, .length = planned.length};
  cell.samples = planned.task->task->load(request);
  const std::int64_t kept = share_of(std::ssize(cell.samples), planned.share);
  cell.samples.resize(static_cast<std::size_t>(kept));
  for (const tasks::Sample& sample : cell.samples) {
    cell.content_sha256.push_back(content_hash(sample));
  }
  cell.identity = planned.task->task->identity(request);
  if (cell.identity.data_id.empty()) cell.identity.data_id = data_id(cell, request);
  return cell;
}

// Cells with an error: the first that is not one of a length is thrown, the others go.
void drop_short(std::vector<PreparedCell>& cells, std::span<const std::exception_ptr> errors) {
  std::vector<std::string> reasons;
  std::exception_ptr first;
  for (const std::exception_ptr& error : errors) {
    if (!error) continue;
    if (!first) first = error;
    try {
      std::rethrow_exception(error);
    } catch (const tasks::LengthTooShort& why) {
      reasons.emplace_back(why.what());
    }
  }
  if (reasons.size() == cells.size() && first) std::rethrow_exception(first);
  for (const std::string& reason : reasons) log_warning("left out: " + reason);
  std::erase_if(cells, [](const PreparedCell& cell) { return cell.task == nullptr; });
}

}  // namespace

std::vector<PreparedCell> prepare(const Plan& plan, const RunOptions& options,
                                  const engine::Tokenizer* tokenizer, int threads,
                                  const engine::ChatTemplate* chat) {
  std::vector<PreparedCell> cells(plan.cells.size());
  std::vector<std::exception_ptr> errors(plan.cells.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (std::size_t i = next++; i < cells.size() && !failed; i = next++) {
      try {
        cells[i] = load_cell(plan.cells[i], load_request(options, plan.cells[i], tokenizer, chat));
      } catch (const tasks::LengthTooShort&) {
        errors[i] = std::current_exception();
      } catch (...) {
        errors[i] = std::current_exception();
        failed = true;
      }
    }
  };
  std::vector<std::jthread> pool;
  const auto extra =
      std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), cells.size());
  for (std::size_t t = 1; t < extra; ++t) pool.emplace_back(work);
  work();
  pool.clear();  // joins
  drop_short(cells, errors);
  return cells;
}

}  // namespace elastic::harness
