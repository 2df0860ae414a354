#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

constexpr std::string_view kCcBySa = "CC BY-SA 4.0";
constexpr std::string_view kApache = "Apache-2.0";
constexpr std::string_view kMit = "MIT";

// Prompt packs: constants of two upstream generations.
constexpr Identity kPackAIds[] = {
    {"54c90d1f9e23d06d1d89211a423c8f659167de6ed2e088ba790f6711c8288035", 3701, "gen-a"}};
constexpr Identity kPackBIds[] = {
    {"7585cc437a1f7fe03173f0d889379b4d1b99373798039af34c66c74d3e4ea838", 3803, "gen-b"}};
constexpr DataFile kPackA[] = {{"ruler/prompts-gen-a.json", "", kPackAIds}};
constexpr DataFile kPackB[] = {{"ruler/prompts-gen-b.json", "", kPackBIds}};
constexpr std::string_view kPackMirrors[] = {
    "https://raw.githubusercontent.com/NVIDIA/RULER/",
    "https://raw.githubusercontent.com/hsiehjackson/RULER/"};

// The essay file has no single identity: pages and the converter change; these copies are known.
constexpr Identity kEssayIds[] = {
    {"8d31e1b660e0f2180bcca6d238e18f77921df9d158611582b860da1762b6d3dd", 3108621, "built in 2026"},
    {"1af094ff36d47893ea3c09cc570038053b711a9ba728c9d2dca036dbb231fa41", 3108596,
     "copy of November 2024"},
    {"afb34e460df6830ee1365cd8865d75d5c1a2be2a13251ba1111c1228bbbfd556", 3108615, "older copy"},
    {"c991a4f897d482a4c845028f5bd3aa8951569b1ab1708723bcc6ec72e66b9446", 3108615,
     "older copy, unsorted essays"},
    {"d9e4663b58000c644994bb677b6c47a6c0e026d1bc2386aade8963ae7bd9e039", 3101008,
     "older copy, unsorted and without its first essay"},
};
constexpr DataFile kEssays[] = {{"ruler/PaulGrahamEssays.json", "", kEssayIds}};

constexpr Identity kEnglishWordIds[] = {
    {"affcd6d45fdf3cc843d585c99c97ad615094e760e6c4756b654bab6c73bc2eca", 8564991, "official"}};
constexpr DataFile kEnglishWords[] = {
    {"ruler/english_words.json", "english_words.json", kEnglishWordIds}};
constexpr std::string_view kEnglishWordMirrors[] = {
    "https://media.githubusercontent.com/media/NVIDIA/RULER/"
    "c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a/scripts/data/synthetic/json/",
    "https://github.com/NVIDIA/RULER/raw/c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a/scripts/data/"
    "synthetic/json/"};

constexpr Identity kSquadIds[] = {
    {"80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8", 4370528, "official"}};
constexpr DataFile kSquad[] = {{"ruler/squad_dev-v2.0.json", "dev-v2.0.json", kSquadIds}};
constexpr std::string_view kSquadMirrors[] = {
    "https://rajpurkar.github.io/SQuAD-explorer/dataset/",
    "https://raw.githubusercontent.com/rajpurkar/SQuAD-explorer/master/dataset/"};

constexpr Identity kHotpotIds[] = {
    {"4e9ecb5c8d3b719f624d66b60f8d56bf227f03914f5f0753d6fa1b359d7104ea", 46320117, "official"},
    {"e3da074df24e8369009918aa5cdbdd254dadcde4c63f7569d36afd6f2268caa8", 61065698,
     "hub copy that RULER fetches since 2026-06"}};
constexpr DataFile kHotpot[] = {
    {"ruler/hotpot_dev_distractor_v1.json", "hotpot_dev_distractor_v1.json", kHotpotIds}};
constexpr std::string_view kHotpotMirrors[] = {
    "http://curtis.ml.cmu.edu/datasets/hotpot/",
    "https://huggingface.co/datasets/RAGLAB/data/resolve/"
    "c33b09b7fa5099b89830e84f9bdff78329268d9b/eval_datasets/HotPotQA/"};
constexpr Identity kHotpotHubIds[] = {kHotpotIds[1], kHotpotIds[0]};
constexpr DataFile kHotpotHub[] = {
    {"ruler/hotpot_dev_distractor_v1.json", "hotpot_dev_distractor_v1.json", kHotpotHubIds}};
constexpr std::string_view kHotpotHubMirrors[] = {
    "https://huggingface.co/datasets/namlh2004/hotpotqa/resolve/"
    "7e54db4656209750ff487f6fdf8e39a66dba136b/"};

constexpr Identity kAdjectiveIds[] = {
    {"66814d46b7e292c83e839d12fe2fa083c8f66779b14b294e1be4e1342c5d4131", 7403, "official"}};
constexpr Identity kVerbIds[] = {
    {"9fbf5e4e69b8869aebd88e6d545312ff9f878a747327ede5f6dbbba5c27b08ad", 6967, "official"}};
constexpr Identity kNoun220Ids[] = {
    {"0778f51872f2aa89e0745c0cc37471a13e3d2161a79fcfdc03b6390b10604a55", 54781, "official"}};
constexpr Identity kNoun301Ids[] = {
    {"8d88b3ebc2e2969ed92ebe49cdb0c8a87c2ad3b27493d7afdff608f2e51c5bc9", 54752, "official"}};
constexpr DataFile kWords220[] = {
    {"ruler/wonderwords-2.2.0/adjectivelist.txt", "wonderwords/assets/adjectivelist.txt",
     kAdjectiveIds},
    {"ruler/wonderwords-2.2.0/nounlist.txt", "wonderwords/assets/nounlist.txt", kNoun220Ids},
    {"ruler/wonderwords-2.2.0/verblist.txt", "wonderwords/assets/verblist.txt", kVerbIds}};
constexpr DataFile kWords301[] = {
    {"ruler/wonderwords-3.0.1/adjectivelist.txt", "wonderwords/assets/adjectivelist.txt",
     kAdjectiveIds},
    {"ruler/wonderwords-3.0.1/nounlist.txt", "wonderwords/assets/nounlist.txt", kNoun301Ids},
    {"ruler/wonderwords-3.0.1/verblist.txt", "wonderwords/assets/verblist.txt", kVerbIds}};
constexpr std::string_view kWonderwordsMirrors[] = {
    "https://files.pythonhosted.org/packages/py3/w/wonderwords/",
    "https://pypi.io/packages/py3/w/wonderwords/"};

// Upstream's order of entries carries no meaning, so the files are kept sorted: one identity.
constexpr Identity kAbbreviationIds[] = {
    {"0ab7d6b126eed733d9bc5733d3a51ea575e90ece1b908e77c9d5b74e2a54213a", 619, "sorted"}};
constexpr Identity kCollocationIds[] = {
    {"73d7f183e9cf31ee6edf41df100a6f57c72404db66f599fe86b3fb2e6148f35f", 594, "sorted"}};
constexpr Identity kOrthoIds[] = {
    {"d762d271cb556bab69960781a49eb034588801983af80d39ac936362c812084f", 236303, "sorted"}};
constexpr Identity kStarterIds[] = {
    {"8a66e19f1bf6a03061dbcda945e46839d09612f8235dbcb1b994f59184ecc989", 241, "sorted"}};
constexpr DataFile kPunkt[] = {
    {"ruler/punkt_tab_english/abbrev_types.txt", "punkt_tab/english/abbrev_types.txt",
     kAbbreviationIds},
    {"ruler/punkt_tab_english/collocations.tab", "punkt_tab/english/collocations.tab",
     kCollocationIds},
    {"ruler/punkt_tab_english/ortho_context.tab", "punkt_tab/english/ortho_context.tab", kOrthoIds},
    {"ruler/punkt_tab_english/sent_starters.txt", "punkt_tab/english/sent_starters.txt",
     kStarterIds}};
constexpr std::string_view kPunktMirrors[] = {
    "https://raw.githubusercontent.com/nltk/nltk_data/550b6625bcef1f2abff2ff770a5a0d272c9c6b2a/"
    "packages/tokenizers/"};

constexpr DataSource kRulerSources[] = {
    {.name = "ruler/prompts-gen-a",
     .summary = "prompt texts of the 2024 generator",
     .licence = kApache,
     .kind = SourceKind::kPromptPack,
     .shape = Shape::kPromptPack,
     .files = kPackA,
     .mirrors = kPackMirrors,
     .archive_remote = "e40fae14df4e439bb355d395b574ac4e7398036d/scripts/data/",
     .open = true},
    {.name = "ruler/prompts-gen-b",
     .summary = "prompt texts of the generator since mid-2025",
     .licence = kApache,
     .kind = SourceKind::kPromptPack,
     .shape = Shape::kPromptPack,
     .files = kPackB,
     .mirrors = kPackMirrors,
     .archive_remote = "c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a/scripts/data/",
     .open = true},
    {.name = "ruler/essays",
     .summary = "essays of Paul Graham, the haystack of five niah tasks",
     .licence = "no right to redistribute",
     .kind = SourceKind::kImportOnly,
     .shape = Shape::kEssays,
     .files = kEssays,
     .open = true,
     .name_pattern = "ruler/PaulGrahamEssays*.json",
     .advice = "upstream builds it from web pages with its own script, "
               "scripts/data/synthetic/json/download_paulgraham_essay.py; import the "
               "PaulGrahamEssays.json that it writes"},
    {.name = "ruler/english-words",
     .summary = "word table of cwe at very long lengths",
     .licence = "Unlicense (dwyl/english-words)",
     .shape = Shape::kWordTable,
     .files = kEnglishWords,
     .mirrors = kEnglishWordMirrors},
    {.name = "ruler/squad",
     .summary = "SQuAD 2.0 dev, documents and questions of qa_1",
     .licence = kCcBySa,
     .shape = Shape::kSquad,
     .files = kSquad,
     .mirrors = kSquadMirrors,
     .name_pattern = "ruler/squad_dev-v2.0*.json"},
    {.name = "ruler/hotpotqa",
     .summary = "HotpotQA dev distractor, documents and questions of qa_2",
     .licence = kCcBySa,
     .shape = Shape::kHotpot,
     .files = kHotpot,
     .mirrors = kHotpotMirrors,
     .name_pattern = "ruler/hotpot*.json"},
    {.name = "ruler/hotpotqa-hub",
     .summary = "the same in the bytes that upstream fetches since 2026-06",
     .licence = kCcBySa,
     .shape = Shape::kHotpot,
     .files = kHotpotHub,
     .mirrors = kHotpotHubMirrors,
     .optional = true},
    {.name = "ruler/wonderwords-2.2.0",
     .summary = "word lists, default of gen-a",
     .licence = kMit,
     .kind = SourceKind::kArchive,
     .shape = Shape::kLines,
     .files = kWords220,
     .mirrors = kWonderwordsMirrors,
     .archive_remote = "wonderwords-2.2.0-py3-none-any.whl",
     .archive = {"65fc665f1f5590e98f6d9259414ea036bf1b6dd83e51aa6ba44473c99ca92da1", 44970, ""}},
    {.name = "ruler/wonderwords-3.0.1",
     .summary = "word lists, default of gen-b",
     .licence = kMit,
     .kind = SourceKind::kArchive,
     .shape = Shape::kLines,
     .files = kWords301,
     .mirrors = kWonderwordsMirrors,
     .archive_remote = "wonderwords-3.0.1-py3-none-any.whl",
     .archive = {"4dd66deb6a76ca9e0b0422d1d3e111f9b910d7c16922d42de733ee8def98f8d0", 51658, ""}},
    {.name = "ruler/punkt",
     .summary = "English sentence splitter parameters, kept sorted",
     .licence = "none declared (NLTK data; NLTK is Apache-2.0)",
     .kind = SourceKind::kArchive,
     .shape = Shape::kLines,
     .files = kPunkt,
     .mirrors = kPunktMirrors,
     .archive_remote = "punkt_tab.zip",
     .open = true},
};

}  // namespace

std::span<const DataSource> ruler_sources() { return kRulerSources; }

}  // namespace elastic::datasets
