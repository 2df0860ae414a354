#include "harness/commands/command.h"

namespace elastic::harness {

// One line per subcommand; each is defined in <name>_command.cpp.

void add_ablate(CLI::App& sub, int& exit_code);
void add_analyze(CLI::App& sub, int& exit_code);
void add_bench(CLI::App& sub, int& exit_code);
void add_compare(CLI::App& sub, int& exit_code);
void add_data(CLI::App& sub, int& exit_code);
void add_doctor(CLI::App& sub, int& exit_code);
void add_generate(CLI::App& sub, int& exit_code);
void add_leaderboard(CLI::App& sub, int& exit_code);
void add_plan(CLI::App& sub, int& exit_code);
void add_preview(CLI::App& sub, int& exit_code);
void add_report(CLI::App& sub, int& exit_code);
void add_reproduce(CLI::App& sub, int& exit_code);
void add_run(CLI::App& sub, int& exit_code);
void add_score(CLI::App& sub, int& exit_code);
void add_similarity(CLI::App& sub, int& exit_code);
void add_tasks(CLI::App& sub, int& exit_code);
void add_tokenize(CLI::App& sub, int& exit_code);
void add_train(CLI::App& sub, int& exit_code);

namespace {
constexpr Command kCommands[] = {
    {"ablate", "One setting of the router varied: train, run, one report", add_ablate},
    {"analyze", "Which heads look at needles, and what is left without them", add_analyze},
    {"bench", "Speed of one part, checked first, then timed", add_bench},
    {"compare", "Two runs sample by sample: differences, intervals, tests", add_compare},
    {"data", "List, fetch, verify, import and generate benchmark data", add_data},
    {"doctor", "Versions, devices, libraries, data; one line of advice per fault", add_doctor},
    {"generate", "One prompt through a model: continuation, routing, logits", add_generate},
    {"leaderboard", "The modes of several runs, ranked by a suite's score", add_leaderboard},
    {"plan", "What a run would do: samples, memory, time", add_plan},
    {"preview", "One prompt exactly as the model gets it", add_preview},
    {"report", "Run folders to tables, figures and one HTML file", add_report},
    {"reproduce", "A table or figure of the paper made again, its numbers beside ours",
     add_reproduce},
    {"run", "Tasks through a model: answers, scores, routing, latency", add_run},
    {"score", "Scores of predictions made here or elsewhere", add_score},
    {"similarity", "How alike tasks look to the router, before and after its task MLP",
     add_similarity},
    {"tasks", "The tasks, or one of them explained", add_tasks},
    {"tokenize", "JSON lines: texts to ids, or ids to texts", add_tokenize},
    {"train", "Routers for a frozen model, or a small model from scratch", add_train},
};
}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace elastic::harness
