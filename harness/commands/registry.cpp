#include "harness/commands/command.h"

namespace elastic::harness {

// One line per subcommand; each is defined in <name>_command.cpp.

namespace {
constexpr Command kCommands[] = {
};
}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace elastic::harness
