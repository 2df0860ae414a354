#pragma once

// A TCP port for a test's own server.

namespace elastic::testing {

/// A port of the loopback interface that nobody listens on now.
int free_port();

}  // namespace elastic::testing
