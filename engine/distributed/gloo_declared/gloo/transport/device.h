#pragma once

// Gloo's network devices and buffers, as far as c10d names them (context.h).

namespace gloo::transport {

class Device;

class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = default;
};

}  // namespace gloo::transport
