#pragma once

// Where processes reach each other.
//
//   own_address("node1", 29500)           // "10.0.0.2": this host on the way to node1
//   wait_for_server("node1", 29500, 45)   // false: nobody listens there after 45 s

#include <string>

namespace elastic::engine {

/// The numeric address of this host on the way to `address`. Sends nothing. kInvalidArgument naming
/// MASTER_ADDR where no host has that name; kIo where no way leads there.
std::string own_address(const std::string& address, int port);

/// True once something accepts connections there, false where nothing does within `seconds`. Throws
/// as own_address() for a name of no host, and Interrupted.
bool wait_for_server(const std::string& address, int port, double seconds);

}  // namespace elastic::engine
