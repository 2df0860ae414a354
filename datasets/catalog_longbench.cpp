#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

constexpr Identity kLongbenchIds[] = {
    {"cb45b11a4133c6bc1d6a44b0f8e701335ff1e543195db1103472e575857f7f64", 113932529, "official"}};
constexpr DataFile kLongbench[] = {{"longbench/data.zip", "data.zip", kLongbenchIds}};
constexpr std::string_view kLongbenchMirrors[] = {
    "https://huggingface.co/datasets/zai-org/LongBench/resolve/"
    "5e628be450b7e67fb7ae6e201bd6d8f7056f7672/",
    "https://huggingface.co/datasets/THUDM/LongBench/resolve/"
    "5e628be450b7e67fb7ae6e201bd6d8f7056f7672/"};

constexpr Identity kLongbench2Ids[] = {
    {"15d61c22d92c96900b3c4948b6aeea218d3214b676a65df48e7b8555604c7fe2", 465490535, "official"}};
constexpr DataFile kLongbench2[] = {{"longbench_v2/data.json", "data.json", kLongbench2Ids}};
constexpr std::string_view kLongbench2Mirrors[] = {
    "https://huggingface.co/datasets/zai-org/LongBench-v2/resolve/"
    "2b48e494f2c7a2f0af81aae178e05c7e1dde0fe9/",
    "https://huggingface.co/datasets/THUDM/LongBench-v2/resolve/"
    "2b48e494f2c7a2f0af81aae178e05c7e1dde0fe9/"};

constexpr Identity kMaxLenIds[] = {
    {"72966b3c0933e214591637fb085798c5e687ebff4ddaab5d99bbc31120532022", 459, "official"}};
constexpr Identity kPromptIds[] = {
    {"56d22ad4f382169c2b8a11ff4c982a4a1bea096c8152b0f0b85b64686b157c30", 5437, "official"}};
constexpr Identity kModelLenIds[] = {
    {"2405c0b85b215a504fb6a8f69c4982db7e2be2d53d177c69891cdcf0fe78f3ce", 240, "official"}};
constexpr Identity kModelLen2Ids[] = {
    {"c37ec6e5d77e68e4cf6280183c6e68e885852ced6904e049ed75d3e73fc61ebe", 601, "official"}};
constexpr Identity kShotIds[] = {
    {"68a162252bc9ff71d5d7abca3d69bb31aac3c35f832d657a2866f2018b8a6950", 262, "official"}};
constexpr Identity kCotIds[] = {
    {"6cc33d92fd8f611662b756c1f10f302c541ca005b58c46d5f3188ac3a939bfe8", 212, "official"}};
constexpr Identity kCotAnswerIds[] = {
    {"85ec59df4ac0e27aabbc619a7ca5cf3ae1787dd5a76cf51a18944eb52c91955f", 383, "official"}};
constexpr Identity kNoContextIds[] = {
    {"125fb44183af01ffc623df19392b80a287db62af3e2a2805e5b2ff9c7b2bee30", 224, "official"}};
constexpr Identity kRagIds[] = {
    {"5c50ce4fa24d297b8c72eb048599681ee01ced5d24a6636464386d6d3c72c4c9", 279, "official"}};
constexpr DataFile kLongbenchConfig[] = {
    {"longbench_config/v1/dataset2maxlen.json", "LongBench/config/dataset2maxlen.json", kMaxLenIds},
    {"longbench_config/v1/dataset2prompt.json", "LongBench/config/dataset2prompt.json", kPromptIds},
    {"longbench_config/v1/model2maxlen.json", "LongBench/config/model2maxlen.json", kModelLenIds},
    {"longbench_config/v2/model2maxlen.json", "config/model2maxlen.json", kModelLen2Ids},
    {"longbench_config/v2/prompts/0shot.txt", "prompts/0shot.txt", kShotIds},
    {"longbench_config/v2/prompts/0shot_cot.txt", "prompts/0shot_cot.txt", kCotIds},
    {"longbench_config/v2/prompts/0shot_cot_ans.txt", "prompts/0shot_cot_ans.txt", kCotAnswerIds},
    {"longbench_config/v2/prompts/0shot_no_context.txt", "prompts/0shot_no_context.txt",
     kNoContextIds},
    {"longbench_config/v2/prompts/0shot_rag.txt", "prompts/0shot_rag.txt", kRagIds}};
constexpr std::string_view kLongbenchConfigMirrors[] = {
    "https://raw.githubusercontent.com/THUDM/LongBench/"
    "2e00731f8d0bff23dc4325161044d0ed8af94c1e/"};

constexpr DataSource kLongBenchSources[] = {
    {.name = "longbench/data",
     .summary = "LongBench and LongBench-E, 34 sets of rows",
     .licence = "none declared (mixed sources)",
     .files = kLongbench,
     .mirrors = kLongbenchMirrors},
    {.name = "longbench/config",
     .summary = "official prompts, answer budgets and model lengths of both versions",
     .licence = "MIT",
     .files = kLongbenchConfig,
     .mirrors = kLongbenchConfigMirrors},
    {.name = "longbench_v2/data",
     .summary = "LongBench v2, 503 questions",
     .licence = "Apache-2.0",
     .files = kLongbench2,
     .mirrors = kLongbench2Mirrors},
    {.name = "longbench/rows",
     .summary = "rows of single sets, read where data.zip is absent",
     .licence = "none declared (mixed sources)",
     .kind = SourceKind::kImportOnly,
     .shape = Shape::kRows,
     .open = true,
     .name_pattern = "longbench/rows/*.jsonl"},
    {.name = "longbench/derived-rows",
     .summary = "rows derived from other collections, read where no others are",
     .licence = "none declared (mixed sources)",
     .kind = SourceKind::kImportOnly,
     .shape = Shape::kRows,
     .open = true,
     .name_pattern = "longbench/derived_rows/*.jsonl"},
    {.name = "longbench_v2/rows",
     .summary = "rows of LongBench v2, read where data.json is absent",
     .licence = "Apache-2.0",
     .kind = SourceKind::kImportOnly,
     .shape = Shape::kChoiceRows,
     .open = true,
     .name_pattern = "longbench_v2/*.jsonl"},
};

}  // namespace

std::span<const DataSource> longbench_sources() { return kLongBenchSources; }

}  // namespace elastic::datasets
