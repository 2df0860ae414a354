#include "base/error.h"

namespace elastic {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid argument";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kIo:
      return "input/output";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kDevice:
      return "device";
    case ErrorKind::kOutOfMemory:
      return "out of memory";
    case ErrorKind::kNonFinite:
      return "non-finite";
    case ErrorKind::kMeasurement:
      return "measurement";
  }
  return "unknown";
}

}  // namespace elastic
