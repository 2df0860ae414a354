#include "harness/commands/command.h"

namespace elastic::harness {

// One line per subcommand; each is defined in <name>_command.cpp.

void add_doctor(CLI::App& sub, int& exit_code);

namespace {
constexpr Command kCommands[] = {
    {"doctor", "Versions, devices, libraries, data; one line of advice per fault", add_doctor},
};
}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace elastic::harness
