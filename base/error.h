#pragma once

// The one exception type of the program. Library code throws it with the file, key and value in the
// text and, where there is one, the cure; it is caught in `main` (exit code), per sample in the
// runner (a failed sample is a record, not an abort) and per file when fetching data.
//
//   throw Error(ErrorKind::kCorrupt, fmt::format("{}: header of {} bytes", path, n));

#include <stdexcept>
#include <string>
#include <string_view>

namespace elastic {

enum class ErrorKind {
  kInvalidArgument,  // the caller or the user asked for something that makes no sense
  kNotFound,         // data that must be fetched or imported first
  kCorrupt,          // bytes that are not what their format or hash promises
  kIo,               // the operating system refused: disk full, permission, connection
  kUnsupported,      // well-formed, but not something this program does
  kDevice,           // accelerator missing or failing; nothing more can run on it
  kOutOfMemory,      // an allocation was refused; the device itself goes on
  kNonFinite,        // the model's logits hold NaN or infinity
  kMeasurement,      // what was timed is not what it claims to be: a wrong result
};

std::string_view to_string(ErrorKind kind);

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Internal invariant, compiled in always; a failure is a defect of this program, never of its
/// input. Throws std::logic_error.
inline void check(bool condition, const char* what) {
  if (!condition) throw std::logic_error(std::string("internal check failed: ") + what);
}

}  // namespace elastic
