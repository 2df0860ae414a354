#pragma once

// The three descriptors every process starts with.

namespace elastic {

/// Opens /dev/null on those of descriptors 0 to 2 that the caller closed: else the next file opened
/// takes the number, and lines meant for the terminal end up in it. First thing in main.
void open_standard_descriptors();

/// Writes out what standard output still holds. Throws kIo where that, or anything written before,
/// did not arrive (a full device): a result that got lost is no success. Last thing in main.
void flush_standard_output();

}  // namespace elastic
