#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

/// Reads a MIDI file for a tokenizer: as the symusic that goes with the configuration's MidiTok
/// release reads it, so that the tokens are MidiTok's. What no token shows is left out: names, and
/// of controllers, lyrics, markers and key signatures all but the time of the last, up to which
/// MidiTok looks for the bars that a trained tokenizer merges within. For REMIChord, which is not
/// MidiTok's, the score is that of ParseScore.
///
/// Release 3.1.0 means symusic 0.6.0, 3.0.4 means 0.5.4. What they read that one would not:
/// - Both take the first pedal of channels 2 to 16 of a file's track as down from tick 0.
/// - Both make a Track of notes that have no end (then without notes), and one of channel 16 for lyrics. MidiTok
///   writes nothing of these, but sorts the notes of a program anew where several Tracks have it.
/// - Both put the tempos and time signatures in order by an unstable sort (symusic_sort.h).
/// - 0.5.4 gives a note to the program that is in force when it ends.
/// - 0.5.4 gives the pedals and bends before the first end of a note to every program that begins
///   on their channel, not just to the next.
/// - 0.5.4 sorts notes by time, pitch and duration; 0.6.0 leaves them in the order of their
///   beginnings.
Result<ScoreAndWarnings> ParseScoreForTokens(std::span<const uint8_t> bytes, std::string_view name,
                                             const TokenizerConfig& config);

/// The same from a file, warnings dropped.
Result<Score> ReadScoreForTokens(const std::filesystem::path& path, const TokenizerConfig& config);

}  // namespace continuo
