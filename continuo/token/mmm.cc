// MMM: the tracks one after the other in one stream, each as Track_Start, Program, its tokens in
// another representation (REMI, MIDI-Like or TSD), Track_End. Tempos and time signatures are in all
// tracks; decoding takes those of the first.

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "continuo/token/encode.h"
#include "continuo/token/event_list.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/token_tables_builder.h"

namespace continuo {

namespace {

constexpr std::string_view kTrackStart = "Track_Start";
constexpr std::string_view kTrackEnd = "Track_End";
/// Of a piece that is written.
constexpr size_t kMostTracks = 128;

/// The representation of a track.
const Representation& BaseOf(const TokenTables& tables) {
  return *tables.representation->base;
}

Status Adapt(TokenizerConfig& config) {
  config.use_programs = true;
  config.program_changes = true;
  config.one_token_stream_for_programs = false;
  std::vector<std::string>& special = config.special_tokens;
  const auto add = [&special](std::string_view token, std::string_view other_name) {
    if (std::find(special.begin(), special.end(), token) == special.end() &&
        std::find(special.begin(), special.end(), other_name) == special.end()) {
      special.emplace_back(token);
    }
  };
  add("PAD_None", "PAD");
  add(kTrackStart, kTrackStart);
  add(kTrackEnd, kTrackEnd);
  return {};
}

void WriteVocabulary(TokenTablesBuilder& builder) {
  BaseOf(builder.tables()).write_vocabulary(builder);
}

size_t TokensOf(const EventList& list) {
  size_t count = 0;
  for (const ScoreEvent& event : list.events) {
    count += event.count;
  }
  return count;
}

std::vector<std::vector<TokenId>> Encode(const Score& score, const TokenTables& tables) {
  const PreparedScore prepared = PrepareScore(score, tables);
  const std::vector<EventList> lists = OrderedEvents(prepared, tables);
  const std::vector<std::vector<TokenId>> tracks = EncodePrepared(prepared, lists, tables);
  const TokenId start = tables.SpecialToken(kTrackStart);
  const TokenId end = tables.SpecialToken(kTrackEnd);
  std::vector<TokenId> ids;
  for (size_t i = 0; i < tracks.size(); ++i) {
    ids.push_back(start);
    if (TokensOf(lists[i]) >= 2) {
      ids.insert(ids.end(), tracks[i].begin(), tracks[i].end());
    } else {  // to which MidiTok gives no time
      if (i < prepared.tracks.size()) {
        ids.push_back(tables.program[static_cast<size_t>(prepared.tracks[i].program + 1)]);
      }
      for (const ScoreEvent& event : lists[i].events) {
        ids.insert(ids.end(), event.ids.begin(), event.ids.begin() + event.count);
      }
    }
    ids.push_back(end);
  }
  return {std::move(ids)};
}

/// What stands between one Track_Start and the next; all there is if there is no Track_Start.
std::vector<std::span<const TokenId>> SplitTracks(std::span<const TokenId> ids, const TokenTables& tables) {
  const TokenId start = tables.SpecialToken(kTrackStart);
  std::vector<std::span<const TokenId>> tracks;
  auto begin = std::find(ids.begin(), ids.end(), start);
  if (begin == ids.end()) {
    return {ids};
  }
  while (begin != ids.end()) {
    const auto next = std::find(begin + 1, ids.end(), start);
    tracks.emplace_back(begin + 1, next);
    begin = next;
  }
  return tracks;
}

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  std::vector<std::vector<TokenId>> tracks;
  if (!streams.empty()) {
    const std::vector<std::span<const TokenId>> parts = SplitTracks(streams[0], tables);
    for (size_t i = 0; i < parts.size(); ++i) {
      // MidiTok leaves out what stands before a Track_Start, whether it is a Track_End or not.
      const bool is_last = i + 1 == parts.size();
      const auto end = is_last || parts[i].empty() ? parts[i].end() : parts[i].end() - 1;
      tracks.emplace_back(parts[i].begin(), end);
    }
  }
  return BaseOf(tables).decode(tracks, tables);
}

/// Those of the first track.
std::vector<size_t> BarOffsets(std::span<const TokenId> ids, const TokenTables& tables) {
  const std::span<const TokenId> track = SplitTracks(ids, tables)[0];
  const auto before = static_cast<size_t>(track.data() - ids.data());
  std::vector<size_t> offsets = BaseOf(tables).bar_offsets(track, tables);
  for (size_t& offset : offsets) {
    offset += before;
  }
  return offsets;
}

/// Each track from the bar on, if it has so many.
std::vector<TokenId> Window(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) {
  const TokenId start = tables.SpecialToken(kTrackStart);
  const TokenId end = tables.SpecialToken(kTrackEnd);
  std::vector<TokenId> window;
  for (std::span<const TokenId> track : SplitTracks(ids, tables)) {
    const auto stop = std::find(track.begin(), track.end(), end);
    const bool is_open = stop == track.end();  // it goes on being written
    track = track.first(static_cast<size_t>(stop - track.begin()));
    std::vector<TokenId> part = BaseOf(tables).window(track, bar, tables);
    if (part.empty() && is_open && !track.empty()) {
      part.push_back(track[0]);  // its Program
    }
    if (part.empty()) {
      continue;
    }
    window.push_back(start);
    window.insert(window.end(), part.begin(), part.end());
    if (!is_open) {
      window.push_back(end);
    }
  }
  return window;
}

/// With a target every track has its bars, and the signatures of the first; its tempos may be
/// repeated where they stand, so that nothing is lost in decoding. Where time is in shifts, a piece
/// with a target has one signature. Without a target all is allowed that encoding writes.
class MmmGrammar : public Grammar {
 public:
  MmmGrammar(const TokenTables& tables, const GrammarTarget& target)
      : tables_(&tables),
        target_(target),
        start_(tables.SpecialToken(kTrackStart)),
        end_(tables.SpecialToken(kTrackEnd)),
        eos_(tables.SpecialToken("EOS_None")),
        bos_(tables.SpecialToken("BOS_None")),
        state_(tables) {}
  MmmGrammar(const MmmGrammar& other) : MmmGrammar(*other.tables_, other.target_) { CopyFrom(other); }

  std::unique_ptr<Grammar> Clone() const override { return std::make_unique<MmmGrammar>(*this); }

  void CopyFrom(const Grammar& other) override {
    const auto& from = static_cast<const MmmGrammar&>(other);
    target_ = from.target_;
    track_ = from.track_ ? from.track_->Clone() : nullptr;
    state_ = from.state_;
    tracks_ = from.tracks_;
    tokens_ = from.tokens_;
    bars_ = from.bars_;
    room_ = from.room_;
    any_note_ = from.any_note_;
    ended_ = from.ended_;
    meters_ = from.meters_;
    tempos_ = from.tempos_;
  }

  void Allowed(std::span<uint8_t> allowed) const override {
    if (!track_) {
      std::fill(allowed.begin(), allowed.end(), uint8_t{0});
      const auto allow = [&allowed](TokenId id, bool may_come) {
        if (id != kNoToken && may_come) {
          allowed[static_cast<size_t>(id)] = 1;
        }
      };
      allow(start_, MayStart());
      allow(eos_, MayEnd());
      return;
    }
    track_->Allowed(allowed);
    const bool may_end = TrackMayEnd(allowed);
    for (const TokenType type : {TokenType::kSpecial, TokenType::kTempo, TokenType::kTimeSig, TokenType::kBar,
                                 TokenType::kBarEnd, TokenType::kDuration}) {
      const IdRange& range = tables_->range(type);
      for (TokenId id = range.first; id < range.end(); ++id) {
        uint8_t& bit = allowed[static_cast<size_t>(id)];
        bit = bit != 0 && Permits(id) ? 1 : 0;
      }
    }
    if (MustNameProgram()) {
      for (size_t id = 0; id < allowed.size(); ++id) {
        allowed[id] = allowed[id] != 0 && tables_->infos[id].type == TokenType::kProgram ? 1 : 0;
      }
    }
    allowed[static_cast<size_t>(end_)] = may_end ? 1 : 0;
  }

  bool Advance(TokenId id) override {
    if (id < 0 || static_cast<size_t>(id) >= tables_->infos.size()) {
      return false;
    }
    if (id == bos_ && tracks_ == 0) {
      return true;
    }
    if (!track_) {
      if (id == start_ && MayStart()) {
        track_ = BaseOf(*tables_).new_grammar(*tables_, target_);
        state_ = StreamState(*tables_);
        tokens_ = 0;
        ++tracks_;
        return true;
      }
      ended_ = ended_ || (id == eos_ && MayEnd());
      return id == eos_ && ended_;
    }
    if (id == end_) {
      std::vector<uint8_t> allowed(tables_->infos.size());
      track_->Allowed(allowed);
      if (!TrackMayEnd(allowed)) {
        return false;
      }
      track_.reset();
      return true;
    }
    const TokenType type = tables_->infos[static_cast<size_t>(id)].type;
    if (!Permits(id) || (MustNameProgram() && type != TokenType::kProgram) || !track_->Advance(id)) {
      return false;
    }
    state_.Advance(id);
    ++tokens_;
    bars_ = std::max(bars_, track_->bars());
    any_note_ = any_note_ || type == TokenType::kPitch || type == TokenType::kPitchDrum;
    if (has_target() && tracks_ == 1) {
      if (type == TokenType::kTimeSig) {
        meters_[state_.bar()] = id;
        const int64_t bars = static_cast<int64_t>(target_.bars) - state_.bar();
        room_[state_.bar()] = AddTicks(state_.tick_at_bar(), bars * state_.meter().ticks_per_bar());
      } else if (type == TokenType::kTempo) {
        tempos_[state_.tick()] = id;
      }
    }
    return true;
  }

  bool SetTarget(const GrammarTarget& target) override {
    if (tracks_ > 0 || has_target() || target.bars < 1) {
      return false;
    }
    target_ = target;
    return true;
  }

  bool AppendKey(int32_t /*horizon*/, std::string& /*key*/) const override { return false; }
  bool complete() const override { return has_target() && (ended_ || (eos_ == kNoToken && !track_ && tracks_ > 0)); }
  size_t bars() const override { return bars_; }

 private:
  bool has_target() const { return target_.bars > 0; }
  bool MayStart() const { return !ended_ && !complete() && (!has_target() || tracks_ < kMostTracks); }
  bool MayEnd() const { return ended_ || any_note_; }
  /// A track begins with its program.
  bool MustNameProgram() const { return has_target() && tokens_ == 0; }
  bool InLastBar() const { return has_target() && track_->bars() == target_.bars; }

  /// `allowed` is what the track's own grammar allows.
  bool TrackMayEnd(std::span<const uint8_t> allowed) const {
    const auto may_come = [allowed](TokenId id) { return id != kNoToken && allowed[static_cast<size_t>(id)] != 0; };
    if (has_target()) {
      const bool closes = InLastBar() && (may_come(tables_->bar) || may_come(tables_->bar_end));
      return track_->complete() || may_come(eos_) || closes;
    }
    bool is_free = false;  // a token of time may come, so that nothing is half written
    for (const TokenType type :
         {TokenType::kBar, TokenType::kBarEnd, TokenType::kPosition, TokenType::kTimeShift, TokenType::kRest}) {
      const IdRange& range = tables_->range(type);
      is_free = is_free || std::any_of(allowed.begin() + range.first, allowed.begin() + range.end(),
                                       [](uint8_t bit) { return bit != 0; });
    }
    bool pedal_down = false;
    for (int program = -1; program < 128; ++program) {
      pedal_down = pedal_down || state_.pedal_is_down(program);
    }
    return is_free && tokens_ > 0 && state_.sounding().empty() && !pedal_down;
  }

  /// Whether a note that is written now and lasts so long lets the signatures of the bars to come
  /// be written: a track's own grammar takes each for that of all bars that follow.
  bool LeavesSignatures(int32_t ticks) const {
    const int32_t end = AddTicks(state_.tick(), ticks);
    return std::all_of(room_.upper_bound(state_.bar()), room_.end(),
                       [end](const auto& room) { return end <= room.second; });
  }

  /// Of what the track's own grammar allows: what the other tracks do too.
  bool Permits(TokenId id) const {
    const TokenInfo& info = tables_->infos[static_cast<size_t>(id)];
    const TokenType type = info.type;
    if (type == TokenType::kSpecial) {
      return false;
    }
    if (!has_target()) {
      return true;
    }
    switch (type) {
      case TokenType::kBar:
      case TokenType::kBarEnd:
        return !InLastBar();  // it would close the piece, which Track_End does
      case TokenType::kTimeSig: {
        if (!state_.has_bar_tokens() && state_.tick() > 0) {
          return false;
        }
        const auto meter = meters_.find(state_.bar());
        return tracks_ == 1 || (meter != meters_.end() && meter->second == id);
      }
      case TokenType::kDuration:
        return tracks_ == 1 || info.value == 0 || LeavesSignatures(state_.meter().TimeTicks(info.value));
      case TokenType::kTempo: {
        const auto tempo = tempos_.find(state_.tick());
        return tracks_ == 1 || (tempo != tempos_.end() && tempo->second == id);
      }
      default:
        return true;
    }
  }

  const TokenTables* tables_;
  GrammarTarget target_;
  TokenId start_;
  TokenId end_;
  TokenId eos_;
  TokenId bos_;
  std::unique_ptr<Grammar> track_;  // under way; null between tracks
  StreamState state_;               // of that track
  size_t tracks_ = 0;
  size_t tokens_ = 0;  // of the track
  size_t bars_ = 0;    // of the longest track
  bool any_note_ = false;
  bool ended_ = false;
  // Of the first track:
  std::map<int32_t, TokenId> meters_;  // by bar
  std::map<int32_t, TokenId> tempos_;  // by tick
  std::map<int32_t, int32_t> room_;    // by bar: the end of the piece if all bars from it on had its signature
};

std::unique_ptr<Grammar> NewGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<MmmGrammar>(tables, target);
}

}  // namespace

Representation MmmOf(const Representation& base, std::string_view preset, TokenizationKind kind) {
  return {
      .name = "MMM",
      .preset = preset,
      .kind = kind,
      .base = &base,
      .bar_tokens = base.bar_tokens,
      .note_end = base.note_end,
      .only_3_1_0 = true,
      .adapt = Adapt,
      .write_vocabulary = WriteVocabulary,
      .encode_events = base.encode_events,
      .encode_timed = base.encode_timed,
      .encode = Encode,
      .decode = Decode,
      .bar_offsets = BarOffsets,
      .window = Window,
      .new_grammar = NewGrammar,
  };
}

}  // namespace continuo
