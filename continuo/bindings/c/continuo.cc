#include "continuo/bindings/c/continuo.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/compose/composer.h"

struct continuo_model {
  continuo::LoadedModel loaded;
};

struct continuo_options {
  continuo::ComposeOptions compose;
  continuo_bar_callback on_bar = nullptr;
  void* on_bar_user = nullptr;
  continuo_stop_callback on_step = nullptr;
  void* on_step_user = nullptr;
};

struct continuo_pieces {
  struct Piece {
    continuo::WrittenPiece written;
    std::vector<uint8_t> midi;
    std::vector<uint8_t> new_bars;
  };
  std::vector<Piece> pieces;
  bool stopped = false;

  const Piece* Find(size_t index) const { return index < pieces.size() ? &pieces[index] : nullptr; }
};

namespace {

using continuo::ComposeOptions;
using continuo::MakeError;
using continuo::Result;
using continuo::Status;

thread_local std::string last_error;

/// Runs a call that may fail or throw, and keeps the reason. True on success.
template <typename Call>
bool Guard(const Call& call) {
  last_error.clear();
  try {
    const Status status = call();
    if (status.ok()) {
      return true;
    }
    last_error = status.error().ToString();
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
  } catch (const std::exception& error) {
    last_error = error.what();
  }
  return false;
}

Status CheckArgument(const void* pointer, std::string_view name) {
  return pointer != nullptr ? Status() : Status(MakeError("{} is NULL", name));
}

struct IntegerOption {
  std::string_view name;
  void (*set)(ComposeOptions& options, uint64_t value);
};

constexpr std::array<IntegerOption, 9> kIntegerOptions = {{
    {"seed", [](ComposeOptions& options, uint64_t value) { options.seed = value; }},
    {"count", [](ComposeOptions& options, uint64_t value) { options.count = value; }},
    {"keep", [](ComposeOptions& options, uint64_t value) { options.keep = value; }},
    {"batch", [](ComposeOptions& options, uint64_t value) { options.batch = value; }},
    {"retries", [](ComposeOptions& options, uint64_t value) { options.retries = value; }},
    {"silent_bars", [](ComposeOptions& options, uint64_t value) { options.guards.silent_bars = value; }},
    {"equal_bars", [](ComposeOptions& options, uint64_t value) { options.guards.equal_bars = value; }},
    {"keep_top", [](ComposeOptions& options, uint64_t value) { options.limits.keep_top = value != 0; }},
    {"notes_at_once", [](ComposeOptions& options, uint64_t value) { options.guards.notes_at_once = value; }},
}};

/// The callbacks of the options, which may ask to stop.
class Callbacks {
 public:
  explicit Callbacks(const continuo_options& options) : options_(options) {}

  continuo::StopToken stop() const {
    return continuo::StopToken(
        [this] { return stopped_ || (options_.on_step != nullptr && options_.on_step(options_.on_step_user) != 0); });
  }

  continuo::BarSink bar_sink() {
    if (options_.on_bar == nullptr) {
      return {};
    }
    return [this](const continuo::BarUpdate& update) -> Status {
      std::vector<continuo_note> notes;
      for (const continuo::TimedNote& note : update.notes) {
        notes.push_back({.seconds = note.seconds,
                         .duration = note.duration_seconds,
                         .tick = note.note.time,
                         .ticks = note.note.duration,
                         .pitch = note.note.pitch,
                         .velocity = note.note.velocity,
                         .program = note.program,
                         .is_drum = static_cast<uint8_t>(note.is_drum ? 1 : 0)});
      }
      if (options_.on_bar(options_.on_bar_user, update.index, update.bars, notes.data(), notes.size()) != 0) {
        stopped_ = true;
      }
      return {};
    };
  }

 private:
  const continuo_options& options_;
  bool stopped_ = false;
};

Status Write(continuo_model* model, const continuo::Request& request, const continuo_options* given,
             continuo_pieces*& result) {
  const continuo_options defaults;
  const continuo_options& options = given != nullptr ? *given : defaults;
  auto pieces = std::make_unique<continuo_pieces>();
  const auto sink = [&pieces](continuo::WrittenPiece written) -> Status {
    continuo_pieces::Piece& piece = pieces->pieces.emplace_back();
    piece.midi = written.piece.Bytes();
    if (written.new_bars) {
      piece.new_bars = written.new_bars->Bytes();
    }
    piece.written = std::move(written);
    return {};
  };
  Callbacks callbacks(options);
  ComposeOptions compose = options.compose;
  compose.stop = callbacks.stop();
  CONTINUO_ASSIGN(
      const continuo::ComposeReport report,
      continuo::Composer(model->loaded).Write(request, compose, sink, continuo::NoProgress(), callbacks.bar_sink()));
  if (!report.best_first) {
    std::sort(pieces->pieces.begin(), pieces->pieces.end(),
              [](const auto& a, const auto& b) { return a.written.index < b.written.index; });
  }
  pieces->stopped = report.stopped;
  result = pieces.release();
  return {};
}

/// Write for a request that begins with a MIDI file.
template <typename MakeRequest>
continuo_pieces* WriteFrom(continuo_model* model, const uint8_t* midi, size_t midi_size,
                           const continuo_options* options, const MakeRequest& make_request) {
  continuo_pieces* pieces = nullptr;
  Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(model, "model"));
    CONTINUO_TRY(CheckArgument(midi, "midi"));
    CONTINUO_ASSIGN(continuo::MidiPiece piece, continuo::MidiPiece::Parse({midi, midi_size}, "the MIDI file"));
    CONTINUO_ASSIGN(const continuo::Request request, make_request(std::move(piece)));
    return Write(model, request, options, pieces);
  });
  return pieces;
}

const uint8_t* Bytes(const std::vector<uint8_t>* bytes, size_t* size) {
  const bool has = bytes != nullptr && !bytes->empty();
  if (size != nullptr) {
    *size = has ? bytes->size() : 0;
  }
  return has ? bytes->data() : nullptr;
}

const continuo_pieces::Piece* Find(const continuo_pieces* pieces, size_t index) {
  return pieces != nullptr ? pieces->Find(index) : nullptr;
}

}  // namespace

int continuo_abi_version(void) {
  return CONTINUO_ABI_VERSION;
}

const char* continuo_version(void) {
  return CONTINUO_VERSION;
}

const char* continuo_error(void) {
  return last_error.c_str();
}

continuo_model* continuo_load(const char* directory, size_t threads) {
  continuo_model* model = nullptr;
  Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(directory, "directory"));
    CONTINUO_ASSIGN(continuo::LoadedModel loaded, continuo::LoadModel(directory, {.threads = threads}));
    model = new continuo_model{std::move(loaded)};
    return {};
  });
  return model;
}

void continuo_free_model(continuo_model* model) {
  delete model;
}

continuo_options* continuo_new_options(const continuo_model* model) {
  continuo_options* options = nullptr;
  Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(model, "model"));
    options = new continuo_options;
    options->compose.sampling = model->loaded.sampling;
    return {};
  });
  return options;
}

void continuo_free_options(continuo_options* options) {
  delete options;
}

int continuo_set_number(continuo_options* options, const char* name, double value) {
  return Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(options, "options"));
    CONTINUO_TRY(CheckArgument(name, "name"));
    if (std::string_view(name) == "bpm") {
      if (!(value >= 0.0) || !std::isfinite(value)) {
        return MakeError("bpm is {}, expected a tempo, or 0 for the model's choice", value);
      }
      options->compose.bpm = value > 0.0 ? std::optional(value) : std::nullopt;
      return {};
    }
    if (const continuo::SamplingField* field = continuo::FindSamplingField(name)) {
      CONTINUO_TRY(field->Check(value));
      field->set(*options->compose.sampling, value);
      return {};
    }
    return MakeError("no number option '{}'", name);
  })
             ? 0
             : 1;
}

int continuo_set_integer(continuo_options* options, const char* name, uint64_t value) {
  return Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(options, "options"));
    CONTINUO_TRY(CheckArgument(name, "name"));
    for (const IntegerOption& option : kIntegerOptions) {
      if (option.name == name) {
        option.set(options->compose, value);
        return {};
      }
    }
    return MakeError("no integer option '{}'", name);
  })
             ? 0
             : 1;
}

int continuo_set_text(continuo_options* options, const char* name, const char* value) {
  return Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(options, "options"));
    CONTINUO_TRY(CheckArgument(name, "name"));
    CONTINUO_TRY(CheckArgument(value, "value"));
    for (const continuo::LimitField& field : continuo::LimitFields()) {
      if (field.name == name) {
        continuo::MusicLimits& limits = options->compose.limits;
        return *value != '\0' ? AddLimit(name, value, limits) : RemoveLimits(name, limits);
      }
    }
    if (continuo::IsPlanField(name)) {
      return continuo::SetPlanField(name, value, options->compose.plan);
    }
    if (std::string_view(name) != "chords") {
      return MakeError("no text option '{}'", name);
    }
    continuo::ChordProgression chords;
    if (*value != '\0') {
      CONTINUO_ASSIGN(chords, continuo::ParseChordProgression(value));
    }
    options->compose.chords = std::move(chords);
    return {};
  })
             ? 0
             : 1;
}

void continuo_on_bar(continuo_options* options, continuo_bar_callback callback, void* user) {
  if (options != nullptr) {
    options->on_bar = callback;
    options->on_bar_user = user;
  }
}

void continuo_on_step(continuo_options* options, continuo_stop_callback callback, void* user) {
  if (options != nullptr) {
    options->on_step = callback;
    options->on_step_user = user;
  }
}

continuo_pieces* continuo_generate(continuo_model* model, size_t bars, const continuo_options* options) {
  continuo_pieces* pieces = nullptr;
  Guard([&]() -> Status {
    CONTINUO_TRY(CheckArgument(model, "model"));
    return Write(model, continuo::NewRequest{.bars = bars}, options, pieces);
  });
  return pieces;
}

continuo_pieces* continuo_continue(continuo_model* model, const uint8_t* midi, size_t midi_size, size_t prompt_bars,
                                   size_t bars, const continuo_options* options) {
  return WriteFrom(model, midi, midi_size, options, [&](continuo::MidiPiece piece) -> Result<continuo::Request> {
    return continuo::Request(
        continuo::ContinueRequest{.piece = std::move(piece), .prompt_bars = prompt_bars, .bars = bars});
  });
}

continuo_pieces* continuo_fill(continuo_model* model, const uint8_t* midi, size_t midi_size, size_t first_bar,
                               size_t last_bar, const continuo_options* options) {
  return WriteFrom(model, midi, midi_size, options, [&](continuo::MidiPiece piece) -> Result<continuo::Request> {
    if (first_bar < 1 || last_bar < first_bar) {
      return MakeError("bars {} to {}: expected a first bar of at least 1, and a last bar not before it", first_bar,
                       last_bar);
    }
    return continuo::Request(
        continuo::FillRequest{.piece = std::move(piece), .first = first_bar - 1, .last = last_bar});
  });
}

void continuo_free_pieces(continuo_pieces* pieces) {
  delete pieces;
}

size_t continuo_piece_count(const continuo_pieces* pieces) {
  return pieces != nullptr ? pieces->pieces.size() : 0;
}

int continuo_was_stopped(const continuo_pieces* pieces) {
  return pieces != nullptr && pieces->stopped ? 1 : 0;
}

const uint8_t* continuo_midi(const continuo_pieces* pieces, size_t index, size_t* size) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return Bytes(piece != nullptr ? &piece->midi : nullptr, size);
}

const uint8_t* continuo_new_bars(const continuo_pieces* pieces, size_t index, size_t* size) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return Bytes(piece != nullptr ? &piece->new_bars : nullptr, size);
}

size_t continuo_piece_number(const continuo_pieces* pieces, size_t index) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return piece != nullptr ? piece->written.index : 0;
}

double continuo_piece_nll(const continuo_pieces* pieces, size_t index) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return piece != nullptr ? piece->written.following_nll.value_or(piece->written.generated.nll)
                          : std::numeric_limits<double>::quiet_NaN();
}

size_t continuo_piece_retries(const continuo_pieces* pieces, size_t index) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return piece != nullptr ? piece->written.generated.retries : 0;
}

size_t continuo_piece_stuck_bars(const continuo_pieces* pieces, size_t index) {
  const continuo_pieces::Piece* piece = Find(pieces, index);
  return piece != nullptr ? piece->written.generated.guards.size() : 0;
}
