#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <variant>

#include "continuo/bindings/python/binding.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"
#include "continuo/token/trained_vocabulary.h"

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

/// Ids that a caller has made may be anything. `size` is that of the vocabulary that they are of.
Status CheckIds(size_t size, std::span<const TokenId> ids) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= size) {
      return MakeError("id {} at place {} is not in the vocabulary, expected 0 to {}", ids[i], i, size - 1);
    }
  }
  return {};
}

nb::list EncodeScore(const Tokenizer& tokenizer, const SharedScore& shared) {
  return ToPython(LongWork().Run([&]() -> Result<Streams> { return tokenizer.EncodeForModel(*shared.score); }));
}

nb::list EncodeBytes(const Tokenizer& tokenizer, const nb::bytes& bytes, const std::string& name) {
  return ToPython(LongWork().Run([&]() -> Result<Streams> {
    CONTINUO_ASSIGN(const ScoreAndWarnings parsed, ParseScoreForTokens(ToSpan(bytes), name, tokenizer.config()));
    return tokenizer.EncodeForModel(parsed.score);
  }));
}

nb::list EncodeFile(const Tokenizer& tokenizer, const nb::bytes& path) {
  const std::filesystem::path file = ToPath(path);
  return ToPython(LongWork().Run([&]() -> Result<Streams> {
    CONTINUO_ASSIGN(const Score score, ReadScoreForTokens(file, tokenizer.config()));
    return tokenizer.EncodeForModel(score);
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
    return tokenizer.EncodeForModel(score);
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
      CONTINUO_TRY(CheckIds(tokenizer.model_size(), ToSpan(ids)));
      streams.emplace_back(ToSpan(ids).begin(), ToSpan(ids).end());
    }
    return SharedScore{std::make_shared<const Score>(tokenizer.DecodeFromModel(streams)), {}};
  });
}

std::vector<std::string> Names(const Tokenizer& tokenizer) {
  std::vector<std::string> names;
  for (size_t id = 0; id < tokenizer.model_size(); ++id) {
    names.push_back(tokenizer.ModelToken(static_cast<TokenId>(id)));
  }
  return names;
}

/// The id of each token alone, by its name. A trained vocabulary may have several ids of one name,
/// and may lack tokens.
nb::dict IdsOfTokens(const Tokenizer& tokenizer) {
  nb::dict ids;
  const std::vector<std::string>& tokens = tokenizer.vocabulary().tokens();
  for (size_t token = 0; token < tokens.size(); ++token) {
    if (const std::optional<TokenId> id = tokenizer.ModelIdOf(static_cast<TokenId>(token))) {
      ids[nb::str(tokens[token].c_str(), tokens[token].size())] = *id;
    }
  }
  return ids;
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
    case TokenType::kNoShift:
    case TokenType::kBeat:
    case TokenType::kSilence:
      return nb::none();
    default:
      return nb::int_(info.value);
  }
}

/// The tokens that an id stands for, as ids of the base vocabulary; itself unless trained.
std::vector<TokenId> TokensOf(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.FromModelIds(std::array{id});
}

nb::tuple Info(const Tokenizer& tokenizer, int64_t id) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const size_t size = tokenizer.model_size();
  if (id < 0 || static_cast<uint64_t>(id) >= size) {
    throw nb::index_error(fmt::format("id {} is not in the vocabulary, expected 0 to {}", id, size - 1).c_str());
  }
  const std::vector<TokenId> tokens = TokensOf(tokenizer, static_cast<TokenId>(id));
  nb::list names;
  for (const TokenId token : tokens) {
    names.append(vocabulary.token(token));
  }
  const bool begins_note =
      std::any_of(tokens.begin(), tokens.end(), [&](TokenId token) { return vocabulary.begins_note(token); });
  return nb::make_tuple(nb::tuple(names), tokens.size() == 1 ? ValueOf(vocabulary, tokens[0]) : nb::none(),
                        begins_note);
}

nb::object BarOffsets(const Tokenizer& tokenizer, const Ids& ids) {
  const std::vector<size_t> bars = LongWork().Run([&]() -> Result<std::vector<size_t>> {
    CONTINUO_TRY(CheckIds(tokenizer.model_size(), ToSpan(ids)));
    return tokenizer.ModelBarOffsets(ToSpan(ids));
  });
  return ToArray(std::vector<int64_t>(bars.begin(), bars.end()));
}

/// Ids of the base vocabulary as the tokenizer's, or the other way.
nb::object Convert(const Tokenizer& tokenizer, const Ids& ids, bool to_base) {
  return ToArray(LongWork().Run([&]() -> Result<std::vector<TokenId>> {
    CONTINUO_TRY(CheckIds(to_base ? tokenizer.model_size() : tokenizer.vocabulary().size(), ToSpan(ids)));
    return to_base ? tokenizer.FromModelIds(ToSpan(ids)) : tokenizer.ToModelIds(ToSpan(ids));
  }));
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
            return LongWork().Run([&] { return Tokenizer::LoadPlainOrTrained(name, which); }).release();
          },
          nb::rv_policy::take_ownership, nb::arg("spec"), nb::arg("release"))
      .def_static(
          "from_json",
          [](const nb::bytes& text, const nb::str& name, const std::string& release) {
            const std::string_view json(text.c_str(), text.size());
            const MidiTokRelease which = Unwrap(ParseMidiTokRelease(release));
            return Unwrap(Tokenizer::FromPlainOrTrainedJson(json, ToText(name), which)).release();
          },
          nb::rv_policy::take_ownership, nb::arg("text"), nb::arg("name"), nb::arg("release"))
      .def("to_json", &Tokenizer::ToJson)
      .def_prop_ro("one_stream", &Tokenizer::one_stream)
      .def_prop_ro("representation",
                   [](const Tokenizer& tokenizer) { return std::string(RepresentationName(tokenizer.config())); })
      .def_prop_ro("release",
                   [](const Tokenizer& tokenizer) { return std::string(ToString(tokenizer.config().release)); })
      .def_prop_ro("vocab_sha256", &Tokenizer::model_sha256)
      .def_prop_ro("is_trained", [](const Tokenizer& tokenizer) { return tokenizer.trained() != nullptr; })
      .def_prop_ro("base_json",
                   [](const Tokenizer& tokenizer) {
                     return WriteTokenizerJson(tokenizer.config(), tokenizer.vocabulary_sha256());
                   })
      .def_prop_ro("names", &Names)
      .def_prop_ro("ids_of_tokens", &IdsOfTokens, nb::sig("def ids_of_tokens(self) -> dict[str, int]"))
      .def_prop_ro("pad", [](const Tokenizer& tokenizer) { return tokenizer.ModelIdOf(tokenizer.vocabulary().pad()); })
      .def_prop_ro("bos", [](const Tokenizer& tokenizer) { return tokenizer.ModelIdOf(tokenizer.vocabulary().bos()); })
      .def_prop_ro("eos", [](const Tokenizer& tokenizer) { return tokenizer.ModelIdOf(tokenizer.vocabulary().eos()); })
      .def("encode_score", &EncodeScore, nb::arg("score"))
      .def("encode_bytes", &EncodeBytes, nb::arg("bytes"), nb::arg("name"))
      .def("encode_file", &EncodeFile, nb::arg("path"))
      .def("encode_files", &EncodeFiles, nb::arg("paths"), nb::arg("threads"), nb::arg("progress").none())
      .def("decode", &Decode, nb::arg("tracks"))
      .def("info", &Info, nb::arg("id"))
      .def("bar_offsets", &BarOffsets, nb::arg("ids"))
      .def("convert", &Convert, nb::arg("ids"), nb::arg("to_base"))
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
