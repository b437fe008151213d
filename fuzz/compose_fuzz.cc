#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/kept_events_testing.h"
#include "continuo/core/check.h"

// The first byte chooses a model, the next three the bars; the others are a MIDI file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  static const std::vector<LoadedModel> models = [] {
    std::vector<LoadedModel> made;
    for (const std::string& preset : PresetNames()) {
      made.push_back(LoadFakeModel(preset, 256));
    }
    for (const char* preset :
         {"remi", "midilike", "tsd_default", "remi_all", "tsd_all", "beat_default", "pertok_default"}) {
      made.push_back(LoadModelOfManySignatures(preset));
    }
    return made;
  }();
  if (size < 4) {
    return 0;
  }
  const LoadedModel& model = models[data[0] % models.size()];
  const Result<MidiPiece> piece = MidiPiece::Parse({data + 4, size - 4}, "input");
  if (!piece.ok()) {
    return 0;
  }
  constexpr size_t kMostBars = 40;  // so that a run takes milliseconds
  const size_t bars = std::min(CountBars(piece->score()), kMostBars);
  if (bars == 0) {
    return 0;
  }
  const size_t prompt_bars = 1 + data[1] % bars;
  const ComposeOptions options = {.free_tempo = data[1] >= 128};
  const size_t new_bars = 1 + data[2] % size_t{4};
  const auto continued =
      Composer(model).Write(ContinueRequest{.piece = *piece, .prompt_bars = prompt_bars, .bars = new_bars}, options);
  if (continued.ok()) {
    CONTINUO_CHECK(FaultOfContinuation(*piece, prompt_bars, new_bars, continued->front()).empty());
  }
  const size_t first = data[2] % bars;
  const size_t last = first + 1 + data[3] % std::min<size_t>(bars - first, 4);
  const auto filled = Composer(model).Write(FillRequest{.piece = *piece, .first = first, .last = last});
  if (filled.ok()) {
    CONTINUO_CHECK(FaultOfFill(*piece, first, last, *model.tokenizer, filled->front()).empty());
  }
  return 0;
}
