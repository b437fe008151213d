// BEAT: a bar is Bar [TimeSig] [Tempo] and its beats. A beat is Beat and then Rest, or for each
// track that has notes in it Program and its keys, highest first: Pitch Pattern [Velocity]. Pattern
// has a digit of base 3 for each quarter of the beat: silence, onset, sustain. The first Pitch of a
// block is a key, the others are the semitones below the one before; PitchDrum is always a key.

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "continuo/token/beat_pattern.h"
#include "continuo/token/clocks.h"
#include "continuo/token/decoder.h"
#include "continuo/token/prepared_score.h"
#include "continuo/token/representation.h"
#include "continuo/token/small_grammar.h"
#include "continuo/token/token_tables_builder.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

// Each beat and each silent track in it has tokens: an absurd delta time could ask for any number.
// A song has some thousand.
constexpr size_t kMostIds = size_t{1} << 23;

Status Adapt(TokenizerConfig& config) {
  config.use_programs = true;
  config.use_time_signatures = true;
  config.one_token_stream_for_programs = true;
  config.beat_res = {{0, 1, kBeatSteps}};
  config.use_note_duration_programs = config.programs;
  config.use_rests = false;
  config.use_chords = false;
  config.use_sustain_pedals = false;
  config.sustain_pedal_duration = false;
  config.use_pitch_bends = false;
  if (config.programs.empty()) {
    return MakeError("programs is empty, which leaves BEAT no track to write");
  }
  return {};
}

void WriteVocabulary(TokenTablesBuilder& builder) {
  TokenTables& tables = builder.tables();
  tables.bar = builder.Add("Bar_None", TokenType::kBar, 0);
  tables.beat = builder.Add("Beat_None", TokenType::kBeat, 0);
  tables.silence = builder.Add("Rest_None", TokenType::kSilence, 0);
  builder.AddPitches("Pitch", TokenType::kKey, {0, 127}, tables.pitch);
  for (int pattern = 0; pattern < kBeatPatterns; ++pattern) {
    builder.Add(fmt::format("Pattern_{}", pattern), TokenType::kPattern, pattern);
  }
  if (tables.config.use_velocities) {
    builder.AddVelocities();
  }
  builder.AddAdditional();
}

/// What one key does in a beat.
struct KeyInBeat {
  int pattern = 0;
  int velocities = 0;  // sum over the steps that sound
  int steps = 0;
};

/// Reads a track's notes beat by beat.
class TrackReader {
 public:
  TrackReader(const PreparedTrack& track, const TokenTables& tables) : notes_(&track.notes), tables_(&tables) {}

  /// The keys of the beat from `start` on, highest first, of which the first `count` are used.
  const std::vector<std::pair<uint8_t, KeyInBeat>>& ReadBeat(int32_t start, int32_t ticks_per_beat) {
    while (next_ < notes_->size() && (*notes_)[next_].time < start + ticks_per_beat) {
      sounding_.push_back((*notes_)[next_++]);
    }
    std::erase_if(sounding_, [start](const PreparedNote& note) { return note.end() <= start; });
    keys_.clear();
    const int32_t step = ticks_per_beat / kBeatSteps;
    for (const PreparedNote& note : sounding_) {
      KeyInBeat key;
      for (size_t i = 0; i < kBeatPlaces.size(); ++i) {
        const int32_t tick = start + static_cast<int32_t>(i) * step;
        if (tick >= note.time && tick < note.end()) {
          key.pattern += kBeatPlaces[i] * (tick == note.time ? kOnsetStep : kSustainStep);
          key.velocities += Velocity(note.velocity);
          ++key.steps;
        }
      }
      if (key.steps > 0) {
        keys_.emplace_back(note.pitch, key);
      }
    }
    Merge();
    return keys_;
  }

 private:
  /// As its token says it.
  int Velocity(uint8_t velocity) const {
    const TokenId id = tables_->velocity[velocity];
    return id == kNoToken ? velocity : tables_->infos[static_cast<size_t>(id)].value;
  }

  void Merge() {
    std::stable_sort(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    size_t kept = 0;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (kept > 0 && keys_[kept - 1].first == keys_[i].first) {
        keys_[kept - 1].second.pattern += keys_[i].second.pattern;
        keys_[kept - 1].second.velocities += keys_[i].second.velocities;
        keys_[kept - 1].second.steps += keys_[i].second.steps;
      } else {
        keys_[kept++] = keys_[i];
      }
    }
    keys_.resize(kept);
  }

  const std::vector<PreparedNote>* notes_;
  const TokenTables* tables_;
  size_t next_ = 0;
  std::vector<PreparedNote> sounding_;
  std::vector<std::pair<uint8_t, KeyInBeat>> keys_;
};

/// The place of a program among the blocks of a beat: drums come last.
int BlockOrder(int program) {
  return program == -1 ? 128 : program;
}

class BeatEncoder {
 public:
  BeatEncoder(const Score& score, const TokenTables& tables)
      : tables_(tables), prepared_(PrepareScore(score, tables)), end_(EndOfScore(score, prepared_, tables)) {
    std::stable_sort(
        prepared_.tracks.begin(), prepared_.tracks.end(),
        [](const PreparedTrack& a, const PreparedTrack& b) { return BlockOrder(a.program) < BlockOrder(b.program); });
    for (const PreparedTrack& track : prepared_.tracks) {
      readers_.emplace_back(track, tables);
      ++tracks_of_program_[static_cast<size_t>(track.program + 1)];
    }
    end_ = std::max({end_, prepared_.time_signatures.back().time + 1, 1});
    if (!prepared_.tempos.empty()) {
      end_ = std::max(end_, prepared_.tempos.back().time + 1);
    }
  }

  std::vector<TokenId> Run() {
    const std::vector<TimeSignature>& meters = prepared_.time_signatures;
    size_t meter = 0;
    size_t tempo = 0;
    int32_t bar_end = 0;
    for (int32_t bar = 0; bar < end_ && ids_.size() < kMostIds; bar = bar_end) {
      Put(tables_.bar);
      bool changes = bar == 0;
      while (meter + 1 < meters.size() && meters[meter + 1].time <= bar) {
        ++meter;
        changes = true;
      }
      const auto [numerator, denominator] = std::pair(meters[meter].numerator, meters[meter].denominator);
      const int index = tables_.FindTimeSignature(numerator, denominator);
      if (changes && index >= 0) {
        Put(tables_.time_signature[static_cast<size_t>(index)]);
      }
      for (; tempo < prepared_.tempos.size() && prepared_.tempos[tempo].time <= bar; ++tempo) {
        Put(tables_.tempo[prepared_.tempos[tempo].index]);
      }
      const int32_t beat = std::max(kBeatSteps, static_cast<int32_t>(prepared_.ticks_per_quarter * 4.0 / denominator));
      bar_end = bar + beat * std::max(1, numerator);
      for (int32_t start = bar; start < std::min(bar_end, end_) && ids_.size() < kMostIds; start += beat) {
        PutBeat(start, beat);
      }
    }
    return std::move(ids_);
  }

 private:
  void Put(TokenId id) {
    if (id != kNoToken) {
      ids_.push_back(id);
    }
  }

  void PutBeat(int32_t start, int32_t ticks_per_beat) {
    Put(tables_.beat);
    const size_t begin = ids_.size();
    for (size_t i = 0; i < readers_.size(); ++i) {
      const int program = prepared_.tracks[i].program;
      const auto& keys = readers_[i].ReadBeat(start, ticks_per_beat);
      // Tracks of one program are told apart by their order: silent ones are written too.
      if (keys.empty() && tracks_of_program_[static_cast<size_t>(program + 1)] == 1) {
        continue;
      }
      Put(tables_.program[static_cast<size_t>(program + 1)]);
      if (keys.empty()) {
        Put(tables_.silence);
      }
      PutKeys(keys, program == -1 && tables_.config.use_pitchdrum_tokens);
    }
    if (ids_.size() == begin) {
      Put(tables_.silence);
    }
  }

  void PutKeys(const std::vector<std::pair<uint8_t, KeyInBeat>>& keys, bool drums) {
    const TokenId first_pattern = tables_.range(TokenType::kPattern).first;
    int previous = -1;
    for (const auto& [pitch, key] : keys) {
      Put(drums ? tables_.pitch_drum[pitch]
                : tables_.pitch[previous < 0 ? pitch : static_cast<size_t>(previous - pitch)]);
      Put(first_pattern + key.pattern);
      if (tables_.config.use_velocities) {
        Put(NearestVelocity(key));
      }
      previous = pitch;
    }
  }

  /// Of the mean; between two, the louder.
  TokenId NearestVelocity(const KeyInBeat& key) const {
    const IdRange& range = tables_.range(TokenType::kVelocity);
    const auto distance = [&](TokenId id) {
      return std::abs(tables_.infos[static_cast<size_t>(id)].value * key.steps - key.velocities);
    };
    TokenId best = range.first;
    for (TokenId id = range.first + 1; id < range.end(); ++id) {
      best = distance(id) <= distance(best) ? id : best;
    }
    return best;
  }

  const TokenTables& tables_;
  PreparedScore prepared_;
  int32_t end_;
  std::vector<TrackReader> readers_;
  std::array<int, 129> tracks_of_program_{};  // by program + 1
  std::vector<TokenId> ids_;
};

std::vector<std::vector<TokenId>> Encode(const Score& score, const TokenTables& tables) {
  return {BeatEncoder(score, tables).Run()};
}

class BeatDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kBar:
          bar_ = bar_ < 0 ? 0 : bar_ + ticks_per_bar_;
          now_ = bar_ - ticks_per_beat_;
          previous_ = kNoKey;
          break;
        case TokenType::kBeat:
          now_ += ticks_per_beat_;
          previous_ = kNoKey;
          blocks_.fill(0);
          break;
        case TokenType::kTimeSig:
          TakeMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
          break;
        case TokenType::kTempo:
          DecodeTempo(info.value, Clamp(std::max<int64_t>(bar_, 0)));
          break;
        case TokenType::kProgram:
          track_ = {info.value, blocks_[static_cast<size_t>(info.value + 1)]++};
          CurrentTrack();
          previous_ = kNoKey;
          break;
        case TokenType::kKey:
        case TokenType::kDrumKey:
          previous_ = previous_ == kNoKey || info.type == TokenType::kDrumKey ? info.value : previous_ - info.value;
          TakeKey(i);
          break;
        default:
          break;
      }
    }
  }

  void Finish() override {
    for (Track& track : score_.tracks) {
      std::stable_sort(track.notes.begin(), track.notes.end(), [](const Note& a, const Note& b) {
        return std::tie(a.time, a.duration, a.pitch) < std::tie(b.time, b.duration, b.pitch);
      });
    }
  }

  static constexpr int kNoKey = INT32_MIN;

  static int32_t Clamp(int64_t tick) { return static_cast<int32_t>(std::clamp<int64_t>(tick, 0, kMaxDecodedTick)); }

  void TakeMeter(const Meter& meter) {
    score_.time_signatures.push_back({Clamp(std::max<int64_t>(bar_, 0)), meter.numerator, meter.denominator});
    ticks_per_beat_ = std::max(1, score_.ticks_per_quarter * 4 / meter.denominator);
    ticks_per_bar_ = static_cast<int64_t>(meter.numerator) * ticks_per_beat_;
    now_ = bar_ - ticks_per_beat_;
  }

  /// The track under way.
  Track& CurrentTrack() {
    const auto [place, is_new] = tracks_.emplace(track_, score_.tracks.size());
    if (is_new) {
      NewTrack(track_.first, track_.first == -1);
    }
    return score_.tracks[place->second];
  }

  void TakeKey(size_t position) {
    const bool in_range = previous_ >= 0 && previous_ <= 127;
    if (!in_range || position + 1 >= ids_.size() || Info(position + 1).type != TokenType::kPattern) {
      return;
    }
    int velocity = kDefaultVelocity;
    if (config_.use_velocities) {
      if (position + 2 >= ids_.size() || Info(position + 2).type != TokenType::kVelocity) {
        return;
      }
      velocity = Info(position + 2).value;
    }
    const int64_t step = ticks_per_beat_ / kBeatSteps;
    for (size_t i = 0; i < kBeatPlaces.size(); ++i) {
      const int64_t tick = now_ + static_cast<int64_t>(i) * step;
      TakeStep(BeatDigitOf(Info(position + 1).value, i), tick, static_cast<int32_t>(step), velocity);
    }
  }

  /// The key of `previous_` on the track under way.
  void TakeStep(BeatDigit digit, int64_t tick, int32_t step, int velocity) {
    const auto active = active_.find({track_, previous_});
    if (digit == kOnsetStep) {
      std::vector<Note>& notes = CurrentTrack().notes;
      active_[{track_, previous_}] = {notes.size(), tick + step};
      notes.push_back({Clamp(tick), step, static_cast<uint8_t>(previous_), static_cast<uint8_t>(velocity)});
    } else if (digit == kSustainStep && active != active_.end() && active->second.end == tick) {
      Note& note = CurrentTrack().notes[active->second.note];
      note.duration = AddTicks(note.duration, step);
      active->second.end += step;
    } else if (active != active_.end()) {
      active_.erase(active);
    }
  }

  /// A program, and which of its blocks in a beat.
  using TrackName = std::pair<int, int>;
  struct ActiveNote {
    size_t note = 0;  // of its track
    int64_t end = 0;
  };

  int64_t ticks_per_beat_ = tables_.time_division;
  int64_t ticks_per_bar_ = int64_t{4} * tables_.time_division;
  int64_t bar_ = -1;
  int64_t now_ = 0;
  int previous_ = kNoKey;
  TrackName track_{0, 0};
  std::array<int, 129> blocks_{};  // of each program in this beat
  std::map<TrackName, size_t> tracks_;
  std::map<std::pair<TrackName, int>, ActiveNote> active_;  // by track and key
};

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return BeatDecoder(tables).Run(streams);
}

/// A piece keeps to one set of tracks: a program has as many blocks in each beat as in the first,
/// and where that is one block at most, leaves it out when it is silent.
class BeatGrammar : public SmallGrammar<BeatGrammar> {
 public:
  BeatGrammar(const TokenTables& tables, const GrammarTarget& target)
      : SmallGrammar(tables, target), clock_(tables, {}) {}

  int32_t bar() const { return clock_.bar(); }

  bool CanEndAt(size_t bars) const {
    const bool whole = expect_ != Expect::kPattern && expect_ != Expect::kVelocity;
    return whole && (bars > static_cast<size_t>(clock_.bar() + 1) || expect_ == Expect::kHead || !LastBeat());
  }

  TokenId next_bar_token() const override {
    for (const TokenId id : {tables_.bar, tables_.beat, tables_.silence}) {
      if (MayFollow(id)) {
        return id;
      }
    }
    return kNoToken;
  }

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    switch (expect_) {
      case Expect::kStart:
        sink.One(tables_.bar);
        break;
      case Expect::kHead:
        EnumerateHead(sink);
        break;
      case Expect::kBlock:
        if (!MustStart() && !AnyRequired(0)) {
          sink.One(tables_.silence);
        }
        EnumeratePrograms(sink);
        break;
      case Expect::kFirstKey:
        if (!MustStart() && (first_beat_ || Required(block_))) {
          sink.One(tables_.silence);
        }
        EnumerateKeys(sink);
        break;
      case Expect::kPattern:
        EnumeratePatterns(sink);
        break;
      case Expect::kVelocity:
        sink.Range(tables_.range(TokenType::kVelocity));
        break;
      case Expect::kMore:
        if (key_ >= 0) {
          EnumerateKeys(sink);
        }
        if (block_ >= 0) {
          EnumeratePrograms(sink);
        }
        EnumerateNext(sink);
        break;
    }
  }

  void Take(TokenId /*id*/, const TokenInfo& info) {
    switch (info.type) {
      case TokenType::kBar:
        if (in_last_bar()) {
          complete_ = true;
          return;
        }
        clock_.OnBar();
        expect_ = Expect::kHead;
        meter_may_come_ = true;
        tempo_may_come_ = true;
        break;
      case TokenType::kTimeSig:
        clock_.OnMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
        meter_may_come_ = false;
        break;
      case TokenType::kTempo:
        meter_may_come_ = false;
        tempo_may_come_ = false;
        break;
      case TokenType::kBeat:
        TakeBeat();
        break;
      case TokenType::kProgram:
        TakeProgram(BlockOrder(info.value));
        break;
      case TokenType::kSilence:
        key_ = -1;
        expect_ = Expect::kMore;
        break;
      case TokenType::kKey:
        key_ = key_ < 0 ? info.value : key_ - info.value;
        expect_ = Expect::kPattern;
        break;
      case TokenType::kDrumKey:
        key_ = info.value;
        expect_ = Expect::kPattern;
        break;
      case TokenType::kPattern:
        TakePattern(info.value);
        expect_ = tables_.config.use_velocities ? Expect::kVelocity : Expect::kMore;
        break;
      default:
        expect_ = Expect::kMore;
        break;
    }
  }

  void Refresh() {}

 private:
  enum class Expect : uint8_t {
    kStart,     // the first bar
    kHead,      // signature, tempo or the first beat
    kBlock,     // after Beat: the first block
    kFirstKey,  // after Program
    kPattern,
    kVelocity,
    kMore,  // the next key, block, beat or bar
  };

  /// Enough tracks of one program for any score, and so few that their silence fits into a bar.
  static constexpr int kMostRepeats = 16;

  bool LastBeat() const { return clock_.beats() >= clock_.meter().meter().numerator; }
  /// What comes now must begin a note, or none would begin in the target's last bar.
  bool MustStart() const { return in_last_bar() && LastBeat() && !BarHasOnset(); }
  /// Several tracks have this program: each beat has a block of each.
  bool Required(int block) const { return !first_beat_ && blocks_[static_cast<size_t>(block)] > 1; }
  /// A program from `from` on is required.
  bool AnyRequired(int from) const {
    for (int block = from; block < static_cast<int>(blocks_.size()); ++block) {
      if (Required(block)) {
        return true;
      }
    }
    return false;
  }
  /// The blocks of the program under way are all there.
  bool BlocksDone() const { return block_ < 0 || !Required(block_) || count_ >= blocks_[static_cast<size_t>(block_)]; }

  template <typename Sink>
  void EnumerateHead(Sink& sink) const {
    if (meter_may_come_) {
      for (size_t i = 0; i < tables_.time_signatures.size(); ++i) {
        if (clock_.bar() == 0 || tables_.time_signatures[i] != clock_.meter().meter()) {
          sink.One(tables_.time_signature[i]);
        }
      }
    }
    if (tempo_may_come_) {
      sink.Range(tables_.range(TokenType::kTempo));
    }
    sink.One(tables_.beat);
  }

  template <typename Sink>
  void EnumeratePrograms(Sink& sink) const {
    if (block_ >= 0) {
      const bool may_repeat = first_beat_ ? !has_target() || repeats_ < kMostRepeats : !BlocksDone();
      if (may_repeat) {
        sink.One(ProgramToken(block_));
      }
      if (!BlocksDone()) {
        return;
      }
    }
    for (int block = block_ + 1; block < static_cast<int>(blocks_.size()); ++block) {
      if (tables_.has_program[static_cast<size_t>((block == 128 ? -1 : block) + 1)]) {
        sink.One(ProgramToken(block));
      }
      if (Required(block)) {
        break;
      }
    }
  }

  TokenId ProgramToken(int block) const {
    return tables_.program[static_cast<size_t>((block == 128 ? -1 : block) + 1)];
  }

  /// The keys below the last one.
  template <typename Sink>
  void EnumerateKeys(Sink& sink) const {
    const TokenizerConfig& config = tables_.config;
    const bool drums = block_ == 128 && config.use_pitchdrum_tokens;
    const std::array<int, 2>& range = drums ? config.drums_pitch_range : config.pitch_range;
    const int last = key_ < 0 ? range[1] : std::min(range[1], key_ - 1);
    for (int key = range[0]; key <= last; ++key) {
      sink.One(drums ? tables_.pitch_drum[static_cast<size_t>(key)]
                     : tables_.pitch[static_cast<size_t>(key_ < 0 ? key : key_ - key)]);
    }
  }

  template <typename Sink>
  void EnumeratePatterns(Sink& sink) const {
    const auto held = held_.find(HeldKey());
    const bool sounds = held != held_.end() && held->second == clock_.tick();
    const TokenId first = tables_.range(TokenType::kPattern).first;
    for (int pattern = 1; pattern < kBeatPatterns; ++pattern) {
      bool allowed = true;
      bool on = sounds;
      bool starts = false;
      for (size_t i = 0; i < kBeatPlaces.size(); ++i) {
        const BeatDigit digit = BeatDigitOf(pattern, i);
        allowed = allowed && (digit != kSustainStep || on);
        starts = starts || digit == kOnsetStep;
        on = digit != kSilentStep;
      }
      if (allowed && (starts || !MustStart())) {
        sink.One(first + pattern);
      }
    }
  }

  template <typename Sink>
  void EnumerateNext(Sink& sink) const {
    if (!BlocksDone() || AnyRequired(block_ + 1)) {
      return;
    }
    if (!LastBeat()) {
      sink.One(tables_.beat);
    } else if (!in_last_bar() || MayEnd()) {
      sink.One(tables_.bar);
    }
    EnumerateEnd(sink);
  }

  void TakeBeat() {
    if (clock_.beats() > 0 || clock_.bar() > 0) {
      first_beat_ = false;
    }
    clock_.OnBeat();
    std::erase_if(held_, [tick = clock_.tick()](const auto& held) { return held.second < tick; });
    block_ = -1;
    count_ = 0;
    key_ = -1;
    expect_ = Expect::kBlock;
  }

  void TakeProgram(int block) {
    repeats_ += first_beat_ && block == block_ ? 1 : 0;
    count_ = block == block_ ? count_ + 1 : 1;
    block_ = block;
    if (first_beat_) {
      blocks_[static_cast<size_t>(block)] = count_;
    }
    key_ = -1;
    expect_ = Expect::kFirstKey;
  }

  void TakePattern(int pattern) {
    const int32_t step = clock_.meter().ticks_per_beat() / kBeatSteps;
    int32_t end = -1;
    for (size_t i = 0; i < kBeatPlaces.size(); ++i) {
      if (const BeatDigit digit = BeatDigitOf(pattern, i); digit == kSilentStep) {
        end = -1;
      } else {
        end = clock_.tick() + static_cast<int32_t>(i + 1) * step;
        if (digit == kOnsetStep) {
          NoteBegins();
        }
      }
    }
    if (end >= 0) {
      held_[HeldKey()] = end;
    } else {
      held_.erase(HeldKey());
    }
  }

  /// The track and key under way.
  uint32_t HeldKey() const {
    return static_cast<uint32_t>(block_) << 24 | static_cast<uint32_t>(count_) << 8 | static_cast<uint32_t>(key_);
  }

  RemiClock clock_;
  Expect expect_ = Expect::kStart;
  bool meter_may_come_ = false;
  bool tempo_may_come_ = false;
  bool first_beat_ = true;
  std::array<uint16_t, 129> blocks_{};          // by BlockOrder: how many the first beat has
  int repeats_ = 0;                             // in the first beat: blocks of a program that had one
  int block_ = -1;                              // BlockOrder of the block under way; -1 before the first of a beat
  uint16_t count_ = 0;                          // blocks of its program in this beat
  int key_ = -1;                                // the last of the block
  std::unordered_map<uint32_t, int32_t> held_;  // when what sounds at the end of its beat ends
};

std::unique_ptr<Grammar> NewGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<BeatGrammar>(tables, target);
}

/// From a bar on, with the signature and tempo in force there. Notes that sound into it begin
/// there.
std::vector<TokenId> Window(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) {
  const auto type_of = [&tables](TokenId id) { return tables.InfoOf(id).type; };
  const std::vector<size_t> offsets = FindBarOffsets(ids, tables);
  if (bar >= offsets.size()) {
    return {};
  }
  size_t next = offsets[bar];
  TokenId meter = kNoToken;
  TokenId tempo = kNoToken;
  const auto is_head = [](TokenType type) {
    return type == TokenType::kBar || type == TokenType::kTimeSig || type == TokenType::kTempo;
  };
  for (size_t i = 0; i < ids.size() && (i < next || is_head(type_of(ids[i]))); ++i) {
    meter = type_of(ids[i]) == TokenType::kTimeSig ? ids[i] : meter;
    tempo = type_of(ids[i]) == TokenType::kTempo ? ids[i] : tempo;
  }
  while (next < ids.size() && is_head(type_of(ids[next]))) {
    ++next;
  }
  std::vector<TokenId> window{tables.bar};
  for (const TokenId id : {meter, tempo}) {
    if (id != kNoToken) {
      window.push_back(id);
    }
  }
  size_t beats = 0;
  for (; next < ids.size(); ++next) {
    const TokenType type = type_of(ids[next]);
    beats += type == TokenType::kBeat ? 1 : 0;
    TokenId id = ids[next];
    if (type == TokenType::kPattern && beats == 1) {
      const int pattern = tables.infos[static_cast<size_t>(id)].value;
      id -= BeatDigitOf(pattern, 0) == kSustainStep ? kBeatPlaces[0] * (kSustainStep - kOnsetStep) : 0;
    }
    window.push_back(id);
  }
  return window;
}

}  // namespace

constinit const Representation kBeatRepresentation{
    .name = "BEAT",
    .preset = "beat",
    .kind = TokenizationKind::kBeat,
    .bar_tokens = true,
    .note_end = NoteEnd::kPattern,
    .merges_tracks = false,
    .tempos_on_bar_lines = true,
    .only_3_1_0 = true,
    .adapt = Adapt,
    .write_vocabulary = WriteVocabulary,
    .encode = Encode,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = Window,
    .new_grammar = NewGrammar,
};

}  // namespace continuo
