#pragma once

// LibTorch's exceptions as the program's own kinds. Decided by exception type, never by text: an
// allocation that was refused leaves the device usable, any other failure of an accelerator may
// have killed its context, so nothing more may run on it.

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <new>
#include <string>

#include "base/error.h"

namespace elastic::engine {

[[noreturn]] inline void throw_device_error(ErrorKind kind, const std::string& where,
                                            const std::string& message) {
  throw Error(kind, fmt::format("{}: {}", where, message.substr(0, message.find('\n'))));
}

/// Runs `body`; c10::OutOfMemoryError and std::bad_alloc become kOutOfMemory, other LibTorch errors
/// kDevice, with "<where>: <first line of the error>" as text.
template <typename Body>
auto with_device_errors(const std::string& where, const Body& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& error) {  // names its bytes in the first line
    throw_device_error(ErrorKind::kOutOfMemory, where, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw_device_error(ErrorKind::kOutOfMemory, where, "out of memory");
  } catch (const c10::Error& error) {
    throw_device_error(ErrorKind::kDevice, where, error.what_without_backtrace());
  }
}

}  // namespace elastic::engine
