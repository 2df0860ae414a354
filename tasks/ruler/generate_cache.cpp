// Content-addressed cache of generated data, and the identity of what data are made from.

#include "tasks/ruler/generate_cache.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <numeric>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr int kCacheVersion = 1;  // raised where the same request yields other lines

std::string cache_key(const GenerateRequest& request, const RulerProfile& profile,
                      const std::map<std::string, std::string>& sources) {
  std::string text = fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", kCacheVersion, profile.name,
      profile.pack.sha256, profile.wordlist, request.task, request.length, request.count,
      request.seed, request.model_template, request.remove_newline_tab, request.counter.id);
  if (!request.checkpoint_template.empty()) text += request.checkpoint_template + "\n";
  for (const auto& [name, hash] : sources) text += name + " " + hash + "\n";
  return sha256_hex(text);
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) (text += line) += '\n';
  return text;
}

// Nothing where the entry is absent, unreadable or damaged: then it is made again.
std::optional<GeneratedSet> read_entry(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  try {
    return parse_cache_entry(read_file(file));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// A cache that takes nothing (full, read-only) costs time, not the run: said once.
void write_entry(const fs::path& file, const GeneratedSet& set) {
  try {
    create_folders(file.parent_path());
    write_file_atomic(file, cache_entry(set));
  } catch (const Error& error) {
    static std::atomic<bool> said = false;
    if (!said.exchange(true)) {
      log_warning(
          fmt::format("generated data are not kept, and made again next time: {}; "
                      "--cache-dir names another folder",
                      error.what()));
    }
  }
}

std::string hash_questions(const datasets::QuestionSet& set) {
  Sha256 hash;
  for (const std::string& document : set.documents) hash.update(document).update("\n");
  for (const datasets::Question& question : set.questions) hash.update(question.text).update("\n");
  return hash.hex();
}

}  // namespace

std::string cache_entry(const GeneratedSet& set) {
  const std::string body = joined_lines(set.lines);
  const Json header = {{"data_id", set.data_id}, {"sha256", sha256_hex(body)}};
  return dump_line(header) + "\n" + body;
}

std::optional<GeneratedSet> parse_cache_entry(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(end + 1);
  GeneratedSet set;
  try {
    const Json header = parse_json(text.substr(0, end), "cache entry");
    const JsonSource in{header, "cache entry"};
    if (sha256_hex(body) != json_get<std::string>(in, "sha256")) return std::nullopt;
    set.data_id = json_get<std::string>(in, "data_id");
  } catch (const Error&) {
    return std::nullopt;
  }
  for (const std::string_view line : split(body, '\n')) {
    if (!line.empty()) set.lines.emplace_back(line);
  }
  return set;
}

std::map<std::string, std::string> source_ids(const RulerConfig& config,
                                              const RulerProfile& profile) {
  const Sources& sources = *profile.sources;
  const bool builtin = sources.options().builtin;
  const std::string lists = "wonderwords-" + profile.wordlist + "/";
  const bool niah = config.base == "niah", cwe = config.base == "common_words_extraction";
  const bool essay = niah && config.haystack == HaystackKind::kEssay, qa = config.base == "qa";
  std::vector<std::string> files;
  std::map<std::string, std::string> ids;
  if ((niah && config.key == ValueKind::kWords) || cwe) {
    files.insert(files.end(), {lists + "adjectivelist.txt", lists + "nounlist.txt"});
  }
  if (cwe) files.push_back(lists + "verblist.txt");
  if (builtin) {
    if (essay) ids["builtin/prose"] = sha256_hex(sources.essays().text());
    if (qa) ids["builtin/questions"] = hash_questions(sources.questions(config.questions));
  } else {
    files.push_back(profile.vintage == Vintage::kGenA ? "prompts-gen-a.json"
                                                      : "prompts-gen-b.json");
    if (cwe && profile.vintage == Vintage::kGenB) files.push_back("english_words.json");
    if (essay) {
      files.insert(files.end(),
                   {"PaulGrahamEssays.json", "punkt_tab_english/abbrev_types.txt",
                    "punkt_tab_english/collocations.tab", "punkt_tab_english/ortho_context.tab",
                    "punkt_tab_english/sent_starters.txt"});
    }
    if (qa) files.push_back(sources.question_file(config.questions));
  }
  ids.merge(sources.hash_files(files));
  return ids;
}

GeneratedSet cached_ruler(const GenerateRequest& request, const RulerProfile& profile,
                          const fs::path& cache_dir) {
  if (cache_dir.empty()) return generate_ruler(request, profile);
  auto sources = source_ids(ruler_config(request.task), profile);
  const std::string key = cache_key(request, profile, sources);
  const fs::path file = cache_dir / "ruler" / (key + ".jsonl");
  if (auto kept = read_entry(file)) {
    kept->source_ids = std::move(sources);
    kept->cached = true;
    return *std::move(kept);
  }
  GeneratedSet set = generate_ruler(request, profile);
  write_entry(file, set);
  return set;
}

std::vector<GeneratedSet> cached_ruler_sets(std::span<const GenerateRequest> requests,
                                            const RulerProfile& profile, const fs::path& cache_dir,
                                            int threads) {
  std::vector<GeneratedSet> sets(requests.size());
  std::vector<std::exception_ptr> errors(requests.size());
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The longest first, so that no thread is left with a long one at the end.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return requests[a].length > requests[b].length;
  });
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (std::size_t i = next++; i < order.size() && !failed; i = next++) {
      try {
        sets[order[i]] = cached_ruler(requests[order[i]], profile, cache_dir);
      } catch (...) {
        errors[order[i]] = std::current_exception();
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    const auto wanted = std::min(static_cast<std::size_t>(std::max(threads, 1)), requests.size());
    for (std::size_t t = 1; t < wanted; ++t) pool.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return sets;
}

}  // namespace elastic::tasks
