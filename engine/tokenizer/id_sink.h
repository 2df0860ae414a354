#pragma once

// Where encoders put ids: CollectSink keeps them in a buffer that is reused from call to call,
// CountSink only counts.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/tokenizer/word_cache.h"

namespace elastic::engine {

class CollectSink {
 public:
  explicit CollectSink(std::vector<std::int32_t>& buffer) : buffer_(buffer) {}

  void room_for(std::size_t ids) {
    if (used_ + ids > buffer_.size()) buffer_.resize(std::max(buffer_.size() * 2, used_ + ids));
  }
  void add(std::int32_t id) {
    room_for(1);
    buffer_[used_++] = id;
  }
  void add(std::span<const std::int32_t> ids) {
    room_for(ids.size());
    std::copy(ids.begin(), ids.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += ids.size();
  }
  void add(const WordCache::Entry& entry) {  // a fixed-size copy is cheaper than a loop
    room_for(WordCache::kMaxIds);
    std::memcpy(buffer_.data() + used_, entry.ids.data(), sizeof(entry.ids));
    used_ += entry.count;
  }
  std::span<const std::int32_t> ids() const { return {buffer_.data(), used_}; }

 private:
  std::vector<std::int32_t>& buffer_;
  std::size_t used_ = 0;
};

class CountSink {
 public:
  void add(std::int32_t) { ++count_; }
  void add(std::span<const std::int32_t> ids) { count_ += static_cast<std::int64_t>(ids.size()); }
  void add(const WordCache::Entry& entry) { count_ += entry.count; }
  std::int64_t count() const { return count_; }

 private:
  std::int64_t count_ = 0;
};

}  // namespace elastic::engine
