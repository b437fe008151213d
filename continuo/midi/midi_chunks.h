#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/midi/defects.h"

namespace continuo {

/// No larger file is read.
inline constexpr uint64_t kLargestFile = uint64_t{1} << 32;

/// The events of one track as they lie in the file.
struct MidiTrackChunk {
  size_t offset = 0;                // of the first event, in bytes from the start of the file
  std::span<const uint8_t> events;  // as many bytes as the chunk claims, cut where the file or another track cuts it
  size_t spare = 0;                 // bytes after `events` that belong to no chunk: the claim may be too small
  int32_t ticks_per_quarter = 480;  // as in MidiChunks
};

/// A chunk that is not a track.
struct MidiOtherChunk {
  std::span<const uint8_t> bytes;  // with its name and length
  size_t before = 0;               // the index of the track that follows it
};

/// What the header of a Standard MIDI File says, and where its tracks lie.
struct MidiChunks {
  int format = 1;  // 0, 1 or 2

  /// Ticks in a quarter note, 1 to 32767. Where the file counts time by frames of film (SMPTE), one
  /// second of nominal frames stands for a quarter note.
  int32_t ticks_per_quarter = 480;

  /// 0, or for a file that counts frames the one length of a quarter note that gives its seconds:
  /// 1,000,000, and 1,001,000 at 29.97 frames a second. The file's own tempos then mean nothing.
  int32_t smpte_us_per_quarter = 0;

  uint16_t division = 480;  // the header's two bytes that the time base was taken from

  std::vector<MidiTrackChunk> tracks;
  std::vector<MidiOtherChunk> others;

  std::span<const uint8_t> header_rest;  // of the header chunk, after its six bytes

  /// Of a file in a RIFF wrapper: what is before and after its "data" chunk, from "RMID" on and to
  /// the end of the file. Both are empty without a wrapper.
  std::span<const uint8_t> riff_before;
  std::span<const uint8_t> riff_after;
};

/// Finds the tracks of a Standard MIDI File, bare or in a RIFF (RMID) wrapper. The spans point into
/// `bytes`.
///
/// Fails on what has no header, no usable division or none of the tracks it claims. What else is
/// wrong with the chunks is noted in `defects` and repaired: a track whose length does not lead to
/// another chunk is followed by the next "MTrk" or by nothing. Chunks of other kinds are listed. No
/// more tracks are given than the header counts (if it counts any), nor than the file holds. Time
/// is linear in the size of the file, memory 40 bytes per chunk found.
Result<MidiChunks> FindMidiChunks(std::span<const uint8_t> bytes, Defects& defects);

}  // namespace continuo
