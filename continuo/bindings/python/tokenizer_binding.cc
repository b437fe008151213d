#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <variant>

#include "continuo/bindings/python/binding.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/tokenizer.h"

namespace continuo::python {
namespace {

using Streams = std::vector<std::vector<TokenId>>;

nb::list ToPython(Streams streams) {
  nb::list list;
  for (std::vector<TokenId>& ids : streams) {
    list.append(ToArray(std::move(ids)));
  }
  return list;
}

/// Ids that a caller has made may be anything.
Status CheckIds(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  const size_t size = tokenizer.vocabulary().size();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= size) {
      return MakeError("id {} at place {} is not in the vocabulary, expected 0 to {}", ids[i], i, size - 1);
    }
  }
  return {};
}

nb::list EncodeScore(const Tokenizer& tokenizer, const SharedScore& shared) {
  return ToPython(LongWork().Run([&]() -> Result<Streams> { return tokenizer.Encode(*shared.score); }));
}

nb::list EncodeBytes(const Tokenizer& tokenizer, const nb::bytes& bytes, const std::string& name) {
  return ToPython(LongWork().Run([&]() -> Result<Streams> {
    CONTINUO_ASSIGN(const ScoreAndWarnings parsed, ParseScoreForTokens(ToSpan(bytes), name, tokenizer.config()));
    return tokenizer.Encode(parsed.score);
  }));
}

nb::list EncodeFile(const Tokenizer& tokenizer, const nb::bytes& path) {
  const std::filesystem::path file = ToPath(path);
  return ToPython(LongWork().Run([&]() -> Result<Streams> {
    CONTINUO_ASSIGN(const Score score, ReadScoreForTokens(file, tokenizer.config()));
    return tokenizer.Encode(score);
  }));
}

/// A list of arrays for each file, or the file's Error.
nb::list EncodeFiles(const Tokenizer& tokenizer, const std::vector<nb::bytes>& paths, size_t threads,
                     nb::object progress) {
  std::vector<std::filesystem::path> files;
  for (const nb::bytes& path : paths) {
    files.push_back(ToPath(path));
  }
  const auto encode = [&](const std::filesystem::path& file) -> Result<Streams> {
    CONTINUO_ASSIGN(const Score score, ReadScoreForTokens(file, tokenizer.config()));
    return tokenizer.Encode(score);
  };
  LongWork work(std::move(progress));
  std::vector<std::optional<Result<Streams>>> results =
      work.Run([&]() -> Result<std::vector<std::optional<Result<Streams>>>> {
        std::vector<std::optional<Result<Streams>>> encoded(files.size());
        const StopToken stop = work.stop();
        std::atomic<uint64_t> done = 0;
        ThreadPool pool(std::max<size_t>(1, std::min(ThreadCount(threads), files.size())));
        pool.ForEach(files.size(), [&](size_t index, size_t /*thread*/) {
          if (!stop.stop_requested()) {
            encoded[index] = encode(files[index]);
            work.Update(++done, files.size(), "");
          }
        });
        if (stop.stop_requested()) {
          return CancelledError();
        }
        return encoded;
      });
  nb::list list;
  const nb::object make_error = nb::module_::import_("continuo._errors").attr("make_error");
  for (std::optional<Result<Streams>>& result : results) {
    if (result->ok()) {
      list.append(ToPython(std::move(*result).value()));
    } else {
      const Error& error = result->error();
      list.append(make_error(error.code == ErrorCode::kNotFound ? "not_found" : "invalid",
                             python::ToPython(error.message), python::ToPython(error.hint)));
    }
    result.reset();
  }
  return list;
}

SharedScore Decode(const Tokenizer& tokenizer, const std::vector<Ids>& tracks) {
  return LongWork().Run([&]() -> Result<SharedScore> {
    Streams streams;
    for (const Ids& ids : tracks) {
      CONTINUO_TRY(CheckIds(tokenizer, ToSpan(ids)));
      streams.emplace_back(ToSpan(ids).begin(), ToSpan(ids).end());
    }
    return SharedScore{std::make_shared<const Score>(tokenizer.Decode(streams)), {}};
  });
}

/// What a token stands for: a number, the two of a time signature, or nothing.
nb::object ValueOf(const Vocabulary& vocabulary, TokenId id) {
  const TokenInfo& info = vocabulary.info(id);
  switch (info.type) {
    case TokenType::kTempo:
      return nb::float_(vocabulary.tempo(id));
    case TokenType::kTimeSig: {
      const TimeSignature& signature = vocabulary.time_signature(id);
      return nb::make_tuple(signature.numerator, signature.denominator);
    }
    case TokenType::kDuration:
    case TokenType::kTimeShift:
    case TokenType::kRest: {
      const BeatLength& length = vocabulary.length(id);
      return nb::float_(length.beats + static_cast<double>(length.parts) / length.resolution);
    }
    case TokenType::kSpecial:
    case TokenType::kBar:
    case TokenType::kBarEnd:
    case TokenType::kChord:
      return nb::none();
    default:
      return nb::int_(info.value);
  }
}

nb::tuple Info(const Tokenizer& tokenizer, int64_t id) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.size()) {
    throw nb::index_error(
        fmt::format("id {} is not in the vocabulary, expected 0 to {}", id, vocabulary.size() - 1).c_str());
  }
  const auto token = static_cast<TokenId>(id);
  return nb::make_tuple(vocabulary.token(token), ValueOf(vocabulary, token), vocabulary.begins_note(token));
}

nb::object BarOffsets(const Tokenizer& tokenizer, const Ids& ids) {
  const std::vector<size_t> bars = LongWork().Run([&]() -> Result<std::vector<size_t>> {
    CONTINUO_TRY(CheckIds(tokenizer, ToSpan(ids)));
    return tokenizer.BarOffsets(ToSpan(ids));
  });
  return ToArray(std::vector<int64_t>(bars.begin(), bars.end()));
}

}  // namespace

void BindTokenizer(nb::module_& module) {
  module.def("preset_names", &PresetNames);
  nb::class_<Tokenizer>(module, "Tokenizer")
      .def_static(
          "load",
          [](const nb::bytes& spec, const std::string& release) {
            const std::string name(spec.c_str(), spec.size());
            const MidiTokRelease which = Unwrap(ParseMidiTokRelease(release));
            return LongWork().Run([&] { return Tokenizer::Load(name, which); }).release();
          },
          nb::rv_policy::take_ownership, nb::arg("spec"), nb::arg("release"))
      .def_static(
          "from_json",
          [](const nb::bytes& text, const nb::str& name, const std::string& release) {
            const std::string_view json(text.c_str(), text.size());
            return Unwrap(Tokenizer::FromJson(json, ToText(name), Unwrap(ParseMidiTokRelease(release)))).release();
          },
          nb::rv_policy::take_ownership, nb::arg("text"), nb::arg("name"), nb::arg("release"))
      .def("to_json", &Tokenizer::ToJson)
      .def_prop_ro("one_stream", &Tokenizer::one_stream)
      .def_prop_ro("representation",
                   [](const Tokenizer& tokenizer) { return std::string(RepresentationName(tokenizer.config())); })
      .def_prop_ro("release",
                   [](const Tokenizer& tokenizer) { return std::string(ToString(tokenizer.config().release)); })
      .def_prop_ro("vocab_sha256", &Tokenizer::vocabulary_sha256)
      .def_prop_ro("tokens", [](const Tokenizer& tokenizer) { return tokenizer.vocabulary().tokens(); })
      .def_prop_ro("pad", [](const Tokenizer& tokenizer) { return tokenizer.vocabulary().pad(); })
      .def_prop_ro("bos", [](const Tokenizer& tokenizer) { return tokenizer.vocabulary().bos(); })
      .def_prop_ro("eos", [](const Tokenizer& tokenizer) { return tokenizer.vocabulary().eos(); })
      .def("encode_score", &EncodeScore, nb::arg("score"))
      .def("encode_bytes", &EncodeBytes, nb::arg("bytes"), nb::arg("name"))
      .def("encode_file", &EncodeFile, nb::arg("path"))
      .def("encode_files", &EncodeFiles, nb::arg("paths"), nb::arg("threads"), nb::arg("progress").none())
      .def("decode", &Decode, nb::arg("tracks"))
      .def("info", &Info, nb::arg("id"))
      .def("bar_offsets", &BarOffsets, nb::arg("ids"))
      .def(
          "transpose_map",
          [](const Tokenizer& tokenizer, int semitones) {
            if (semitones < -127 || semitones > 127) {
              throw ErrorException{MakeError("semitones is {}, expected -127 to 127", semitones)};
            }
            return ToArray(tokenizer.TransposeMap(semitones));
          },
          nb::arg("semitones"));
}

}  // namespace continuo::python
