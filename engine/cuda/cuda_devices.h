#pragma once

// What the host side of the CUDA library asks of its devices.

namespace elastic::engine {

/// Whether the current device runs the kernels for Hopper. ELASTIC_PORTABLE_KERNELS=1 has any GPU
/// run the portable ones, as tests and comparisons want. Throws where CUDA fails.
bool runs_on_hopper();

}  // namespace elastic::engine
