#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

constexpr Identity kDictionaryIds[] = {
    {"7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8", 5071852, "0.42.1"}};
constexpr Identity kStartIds[] = {
    {"14c5706ced5cd3b42eb4873d4b88f7f52a7bdf80fbd767bc4423d361e20c5330", 93, "0.42.1"}};
constexpr Identity kTransitionIds[] = {
    {"54dfbc252ed71480d4f0cdfdf516ecfbe44efd0f6c3c64b158e7039f2906c91b", 241, "0.42.1"}};
constexpr Identity kEmissionIds[] = {
    {"27d46b1c9efe4dd148fde8be042a21be40e3562d0c7f1273f9de7abae12ebb8d", 1321732, "0.42.1"}};
// Chinese segmentation reads the files in this order (datasets/chinese_model.cpp).
constexpr DataFile kJieba[] = {
    {"jieba/dict.txt", "jieba-0.42.1/jieba/dict.txt", kDictionaryIds},
    {"jieba/prob_start.py", "jieba-0.42.1/jieba/finalseg/prob_start.py", kStartIds},
    {"jieba/prob_trans.py", "jieba-0.42.1/jieba/finalseg/prob_trans.py", kTransitionIds},
    {"jieba/prob_emit.py", "jieba-0.42.1/jieba/finalseg/prob_emit.py", kEmissionIds}};
constexpr std::string_view kJiebaMirrors[] = {
    "https://files.pythonhosted.org/packages/source/j/jieba/",
    "https://pypi.io/packages/source/j/jieba/"};

constexpr DataSource kJiebaSources[] = {
    {.name = "jieba",
     .summary = "Chinese dictionary and word model of three LongBench metrics",
     .licence = "MIT",
     .kind = SourceKind::kArchive,
     .shape = Shape::kLines,
     .files = kJieba,
     .mirrors = kJiebaMirrors,
     .archive_remote = "jieba-0.42.1.tar.gz",
     .archive = {"055ca12f62674fafed09427f176506079bc135638a14e23e25be909131928db2", 19214172, ""}},
};

}  // namespace

std::span<const DataSource> jieba_sources() { return kJiebaSources; }

}  // namespace elastic::datasets
