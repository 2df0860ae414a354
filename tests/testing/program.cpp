#include "tests/testing/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.h"

namespace elastic::testing {

const bool kHasEngine = ELASTIC_HAS_ENGINE;

Program::Program(const char* binary, const std::vector<std::string>& arguments,
                 const Variables& variables, std::size_t file_limit) {
  std::vector<std::string> texts{binary};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(texts.size() + 1);
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  const std::string out = folder_ / "out", err = folder_ / "err";
  write_file_atomic(out, "");
  write_file_atomic(err, "");
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(open(out.c_str(), O_WRONLY), STDOUT_FILENO);
  dup2(open(err.c_str(), O_WRONLY), STDERR_FILENO);
  unsetenv("ELASTIC_DATA_DIR");  // of the tests; the program would take it for its own
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  if (file_limit > 0) {
    const rlimit limit{file_limit, file_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  execv(binary, argv.data());
  _exit(127);
}

void Program::wait_until_handled(int number) const {
  constexpr int kTries = 2000;
  const std::string status = "/proc/" + std::to_string(pid_) + "/status";
  for (int i = 0; i < kTries; ++i) {
    const std::string text = read_file(status);
    const std::size_t at = text.find("SigCgt:");
    const unsigned long long caught =
        at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 7, nullptr, 16);
    if ((caught >> (number - 1) & 1) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Program::signal(int number) const { kill(pid_, number); }

bool Program::wait_for(std::string_view part) const {
  for (int i = 0; i < 6000; ++i) {
    if (read_file(folder_ / "err").find(part) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

ProgramResult Program::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_file(folder_ / "out"),
          .err = read_file(folder_ / "err")};
}

}  // namespace elastic::testing
