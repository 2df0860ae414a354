#include "harness/commands/command.h"

namespace elastic::harness {

// One line per subcommand; each is defined in <name>_command.cpp.

void add_bench(CLI::App& sub, int& exit_code);
void add_doctor(CLI::App& sub, int& exit_code);
void add_generate(CLI::App& sub, int& exit_code);
void add_report(CLI::App& sub, int& exit_code);
void add_tokenize(CLI::App& sub, int& exit_code);

namespace {
constexpr Command kCommands[] = {
    {"bench", "Speed of one part, checked first, then timed", add_bench},
    {"doctor", "Versions, devices, libraries, data; one line of advice per fault", add_doctor},
    {"generate", "One prompt through a model: continuation, routing, logits", add_generate},
    {"report", "Run folders to tables, figures and one HTML file", add_report},
    {"tokenize", "JSON lines: texts to ids, or ids to texts", add_tokenize},
};
}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace elastic::harness
