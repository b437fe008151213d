#include "continuo/midi/midi_writer.h"

#include "continuo/core/check.h"
#include "continuo/midi/midi_format.h"
#include "continuo/midi/text.h"

namespace continuo {
namespace {

constexpr size_t kTrackCountAt = 10;

void PutBig16(uint8_t* to, uint32_t value) {
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}

}  // namespace

MidiWriter::MidiWriter(int32_t ticks_per_quarter) {
  CONTINUO_CHECK(ticks_per_quarter > 0 && ticks_per_quarter <= 0x7FFF);
  bytes_ = {'M', 'T', 'h', 'd', 0, 0, 0, 6, 0, 1, 0, 0, 0, 0};
  PutBig16(&bytes_[12], static_cast<uint32_t>(ticks_per_quarter));
}

void MidiWriter::BeginTrack() {
  track_ = bytes_.size();
  time_ = 0;
  ++tracks_;
  bytes_.insert(bytes_.end(), {'M', 'T', 'r', 'k', 0, 0, 0, 0});
}

void MidiWriter::Message(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2) {
  Delta(time);
  bytes_.insert(bytes_.end(), {status, data1, data2});
}

void MidiWriter::Message(uint32_t time, uint8_t status, uint8_t data1) {
  Delta(time);
  bytes_.insert(bytes_.end(), {status, data1});
}

void MidiWriter::Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
  CONTINUO_CHECK(data.size() <= kLargestDelta);
  Delta(time);
  bytes_.insert(bytes_.end(), {kMeta, type});
  Quantity(static_cast<uint32_t>(data.size()));
  bytes_.insert(bytes_.end(), data.begin(), data.end());
}

void MidiWriter::Text(uint32_t time, uint8_t type, std::string_view text) {
  const std::string utf8 = ToUtf8({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  Meta(time, type, {reinterpret_cast<const uint8_t*>(utf8.data()), utf8.size()});
}

void MidiWriter::EndTrack(uint32_t time) {
  Meta(time, kMetaEndOfTrack, {});
  const size_t length = bytes_.size() - track_ - 8;
  CONTINUO_CHECK(length <= 0xFFFFFFFF);
  PutBig16(&bytes_[track_ + 4], static_cast<uint32_t>(length >> 16));
  PutBig16(&bytes_[track_ + 6], static_cast<uint32_t>(length));
}

std::vector<uint8_t> MidiWriter::Finish() && {
  CONTINUO_CHECK(tracks_ <= 0xFFFF);
  PutBig16(&bytes_[kTrackCountAt], tracks_);
  return std::move(bytes_);
}

void MidiWriter::Delta(uint32_t time) {
  CONTINUO_CHECK(time >= time_);
  while (time - time_ > kLargestDelta) {
    Quantity(kLargestDelta);
    bytes_.insert(bytes_.end(), {kMeta, kMetaText, 0});
    time_ += kLargestDelta;
  }
  Quantity(time - time_);
  time_ = time;
}

void MidiWriter::Quantity(uint32_t value) {
  if (value >= 1u << 21) {
    bytes_.push_back(static_cast<uint8_t>(0x80 | (value >> 21)));
  }
  if (value >= 1u << 14) {
    bytes_.push_back(static_cast<uint8_t>(0x80 | (value >> 14)));
  }
  if (value >= 1u << 7) {
    bytes_.push_back(static_cast<uint8_t>(0x80 | (value >> 7)));
  }
  bytes_.push_back(value & 0x7F);
}

}  // namespace continuo
