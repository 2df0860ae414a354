// Manifests of bundles: any bytes are members, each once, or an Error.

#include <set>

#include "base/error.h"
#include "datasets/bundle.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    std::set<std::string> paths;
    for (const auto& member :
         datasets::parse_bundle_manifest(testing::input_text(data, size), "fuzz")) {
      check(paths.insert(member.path).second, "every member once");
    }
  } catch (const Error&) {
  }
  return 0;
}
