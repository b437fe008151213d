#include "continuo/token/trained_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "continuo/os/file.h"
#include "continuo/token/encode.h"
#include "continuo/token/prepared_score.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {

namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

// The last time that MidiTok looks for bars at: that of the last thing that begins. Ends count for
// nothing, so that the words of NoteOffs after it are long.
int32_t LastBeginning(const Score& score, const PreparedScore& prepared, const TokenTables& tables) {
  int32_t last = prepared.time_signatures.back().time;
  const auto see = [&last](int32_t time) { last = std::max(last, time); };
  const double scale = static_cast<double>(prepared.ticks_per_quarter) / std::max(1, score.ticks_per_quarter);
  const auto see_scaled = [&](int32_t time) {
    see(static_cast<int32_t>(std::clamp(std::round(scale * time), 0.0, double{kMaxTick})));
  };
  for (const PreparedTrack& track : prepared.tracks) {
    if (!track.notes.empty()) {
      see(track.notes.back().time);
    }
    if (!track.bends.empty()) {
      see(track.bends.back().time);
    }
    see(track.last_unwritten);
  }
  if (tables.config.use_tempos) {
    see(prepared.tempos.back().time);
  } else if (!score.tempos.empty()) {
    see_scaled(score.tempos.back().time);  // left out, but still there when MidiTok looks
  }
  if (!score.key_signatures.empty()) {
    see_scaled(score.key_signatures.back().time);
  }
  if (!score.markers.empty()) {
    see_scaled(score.markers.back().time);
  }
  return last;
}

// Calls `border` with the tick of each bar or beat after the first, until that returns false.
template <typename Border>
void ForEachBorder(const PreparedScore& prepared, int32_t last, MidiTokRelease release, bool bars,
                   const Border& border) {
  if (last == 0) {
    return;
  }
  // 3.0.4 leaves a bar out that begins with the last onset.
  const int32_t end = last + (release == MidiTokRelease::k3_0_4 ? 0 : 1);
  const std::vector<TimeSignature>& meters = prepared.time_signatures;
  for (size_t i = 0; i < meters.size(); ++i) {
    const int32_t until = i + 1 < meters.size() ? meters[i + 1].time : end;
    const auto beat = std::max(1, static_cast<int32_t>(prepared.ticks_per_quarter * 4.0 / meters[i].denominator));
    const int32_t step = bars ? beat * std::max(1, meters[i].numerator) : beat;
    for (int32_t tick = meters[i].time; tick < until; tick += step) {
      if (tick > 0 && !border(tick)) {
        return;
      }
    }
  }
}

}  // namespace

TrainedTokenizer::TrainedTokenizer(TokenTables tables, Subwords subwords, Split split)
    : base_(std::move(tables)), subwords_(std::move(subwords)), split_(split) {}

Result<std::unique_ptr<TrainedTokenizer>> TrainedTokenizer::Load(const std::filesystem::path& path,
                                                                 MidiTokRelease release) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, kMaxJsonBytes));
  return FromJson(text, path.string(), release);
}

Result<std::unique_ptr<TrainedTokenizer>> TrainedTokenizer::FromJson(std::string_view text, const std::string& name,
                                                                     MidiTokRelease release) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release, /*trained_too=*/true));
  if (json.model.empty()) {
    return std::unique_ptr<TrainedTokenizer>();
  }
  const std::string& split = json.config.encode_ids_split;
  if (split != "bar" && split != "beat" && split != "no") {
    return MakeError("{}: encode_ids_split is {}, expected bar, beat or no", name, split);
  }
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(json.config));
  Result<Subwords> subwords = Subwords::Parse(json, tables.tokens);
  if (!subwords.ok()) {
    return MakeError("{}: {}", name, subwords.error().message);
  }
  const Split by = split == "bar" ? Split::kBar : split == "beat" ? Split::kBeat : Split::kNone;
  return std::unique_ptr<TrainedTokenizer>(new TrainedTokenizer(std::move(tables), std::move(subwords).value(), by));
}

std::string TrainedTokenizer::Name(TokenId id) const {
  std::string name;
  for (TokenId base : subwords_.Base(id)) {
    name += (name.empty() ? "" : "+") + base_.vocabulary().token(base);
  }
  return name.empty() ? "+" : name;
}

std::vector<std::vector<TokenId>> TrainedTokenizer::Encode(const Score& score) const {
  const TokenTables& tables = base_.tables();
  const PreparedScore prepared = PrepareScore(score, tables);
  const int32_t last = LastBeginning(score, prepared, tables);
  std::vector<std::vector<TokenId>> result;
  for (const EncodedStream& stream : EncodeTimed(prepared, tables)) {
    const std::span<const TokenId> ids = stream.ids;
    std::vector<TokenId>& merged = result.emplace_back();
    size_t first = 0;
    if (split_ != Split::kNone) {
      ForEachBorder(prepared, last, tables.config.release, split_ == Split::kBar, [&](int32_t tick) {
        size_t next = first;
        while (next < ids.size() && stream.times[next] < tick) {
          ++next;
        }
        if (next == ids.size()) {
          return false;
        }
        subwords_.Encode(ids.subspan(first, next - first), merged);
        first = next;
        return true;
      });
    }
    subwords_.Encode(ids.subspan(first), merged);
  }
  return result;
}

Score TrainedTokenizer::Decode(std::span<const std::vector<TokenId>> tracks) const {
  std::vector<std::vector<TokenId>> base;
  for (const std::vector<TokenId>& ids : tracks) {
    std::vector<TokenId>& stream = base.emplace_back();
    for (TokenId id : ids) {
      if (id >= 0 && static_cast<size_t>(id) < subwords_.size()) {
        const std::span<const TokenId> tokens = subwords_.Base(id);
        stream.insert(stream.end(), tokens.begin(), tokens.end());
      }
    }
  }
  return base_.Decode(base);
}

}  // namespace continuo
