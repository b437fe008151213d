#include "continuo/studio/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/midi/midi_document.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/score_file.h"
#include "continuo/studio/base64.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

class ApiTest : public ::testing::Test {
 protected:
  ApiAnswer Post(const std::string& path, const Json& body) {
    return api_.Answer({"POST", "/api/v1/" + path, "application/json", body.dump()}, {});
  }
  std::string ErrorOf(const ApiAnswer& answer) {
    return std::to_string(answer.status) + " " + Json::parse(answer.body)["error"]["message"].get<std::string>();
  }
  /// All events of a stream, by name.
  std::vector<std::pair<std::string, Json>> Events(const ApiAnswer& answer) {
    std::vector<std::pair<std::string, Json>> events;
    if (!answer.run) {
      ADD_FAILURE() << answer.body;
      return events;
    }
    answer.run(
        [&](std::string_view name, const Json& data) {
          events.emplace_back(name, data);
          return true;
        },
        {});
    return events;
  }
  /// A piece of quarter notes.
  std::string Midi(int bars = 4) {
    Score score;
    score.tracks.emplace_back();
    for (int i = 0; i < 4 * bars; ++i) {
      score.tracks[0].notes.push_back({i * 480, 480, static_cast<uint8_t>(60 + i % 12), 80});
    }
    return EncodeBase64(SerializeScore(score));
  }

  static constexpr ApiLimits kLimits = {
      .body_bytes = 4'000'000, .waiting = 1, .bars = 40, .count = 4, .render_seconds = 20};

  LoadedModel model_ = LoadFakeModel("remi");
  LoadedModel other_ = LoadFakeModel("remiplus");
  Api api_{{{"first", &model_}, {"second", &other_}}, {.limits = kLimits, .version = "1.2.3"}};
};

TEST_F(ApiTest, DescribesTheModels) {
  const ApiAnswer answer = api_.Answer({"GET", "/api/v1/models", "", ""}, {});
  EXPECT_EQ(answer.status, 200);
  const Json json = Json::parse(answer.body);
  ASSERT_EQ(json["models"].size(), 2u);
  EXPECT_EQ(json["models"][0]["name"], "first");
  EXPECT_EQ(json["models"][1]["name"], "second");
  EXPECT_EQ(json["models"][0]["vocabulary"], model_.tokenizer->vocabulary().size());
  EXPECT_EQ(json["models"][1]["vocabulary"], other_.tokenizer->vocabulary().size());
  EXPECT_EQ(json["models"][0]["controls"], Json({"tempo"}));  // this preset has no chords
  EXPECT_EQ(json["models"][0]["grids"], Json({8, 16}));       // eight positions in a quarter note, so no triplets
  EXPECT_EQ(json["limits"]["bars"], 40);
  EXPECT_EQ(json["version"], "1.2.3");
  EXPECT_EQ(json["render"], false);
}

TEST(PlannedApiTest, AModelWithPlanTokensTakesAFormDensityAndLoudness) {
  const LoadedModel model = LoadFakeModel("remiplan");
  Api api({{"planned", &model}});
  const Json models = Json::parse(api.Answer({"GET", "/api/v1/models", "", ""}, {}).body);
  for (const char* control : {"chords", "form", "density", "loudness", "recall"}) {
    EXPECT_THAT(models["models"][0]["controls"].dump(), HasSubstr(control));
  }
  const auto midi = [&api](const Json& body) {
    ApiAnswer answer = api.Answer({"POST", "/api/v1/generate", "application/json", body.dump()}, {});
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::string piece;
    answer.run(
        [&](std::string_view name, const Json& data) {
          piece = name == "piece" ? data["midi"].get<std::string>() : piece;
          return true;
        },
        {});
    return piece;
  };
  const std::string free = midi({{"bars", 4}});
  const std::string formed = midi({{"bars", 4}, {"form", "A2 A2"}});
  EXPECT_NE(free, formed);
  EXPECT_NE(formed, midi({{"bars", 4}, {"form", "A2 A2"}, {"recall", 1}}));
  EXPECT_NE(midi({{"bars", 4}, {"density", 3}}), midi({{"bars", 4}, {"density", "6"}}));
  EXPECT_NE(midi({{"bars", 4}, {"form", "AB"}, {"loudness", "1 6"}}), midi({{"bars", 4}, {"loudness", "1:1 6:4"}}));
}

TEST_F(ApiTest, ARequestChoosesAModelByItsName) {
  const auto piece_of = [&](const Json& body) {
    const auto events = Events(Post("generate", body));
    const auto found = std::find_if(events.begin(), events.end(), [](const auto& e) { return e.first == "piece"; });
    return found == events.end() ? std::string() : found->second["midi"].get<std::string>();
  };
  const auto of_library = [](const LoadedModel& model) {
    const auto written = Composer(model).Write(NewRequest{.bars = 2}, {.seed = 5});
    return EncodeBase64((*written)[0].piece.Bytes());
  };
  ASSERT_NE(of_library(model_), of_library(other_));
  EXPECT_EQ(piece_of({{"bars", 2}, {"seed", 5}}), of_library(model_));
  EXPECT_EQ(piece_of({{"bars", 2}, {"seed", 5}, {"model", "first"}}), of_library(model_));
  EXPECT_EQ(piece_of({{"bars", 2}, {"seed", 5}, {"model", "second"}}), of_library(other_));
  const Json a = Json::parse(Post("likelihood", {{"midi", Midi()}}).body);
  const Json b = Json::parse(Post("likelihood", {{"midi", Midi()}, {"model", "second"}}).body);
  EXPECT_NE(a["nll"], b["nll"]) << a << b;
}

TEST_F(ApiTest, OffersTheFileThatItWasStartedWith) {
  EXPECT_EQ(Json::parse(api_.Answer({"GET", "/api/v1/opened", "", ""}, {}).body), Json({{"file", nullptr}}));
  const OpenedFile midi{"a song.mid", {1, 2, 3}};
  Api api({{"first", &model_}}, {.limits = kLimits, .opened = midi});
  EXPECT_EQ(Json::parse(api.Answer({"GET", "/api/v1/opened", "", ""}, {}).body),
            Json({{"file", {{"name", "a song.mid"}, {"midi", "AQID"}}}}));
}

TEST_F(ApiTest, RendersPiecesOfABoundedLength) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "wav") << "RIFF";
  std::vector<std::vector<uint8_t>> rendered;
  Api api({{"first", &model_}}, {.limits = kLimits, .render = [&](std::span<const uint8_t> midi, const StopToken&) {
                                   rendered.emplace_back(midi.begin(), midi.end());
                                   return MappedFile::Open(folder.path() / "wav");
                                 }});
  const auto render = [&](const Json& body) {
    return api.Answer({"POST", "/api/v1/render", "application/json", body.dump()}, {});
  };
  const ApiAnswer answer = render({{"midi", Midi(10)}});  // 20 seconds
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.content_type, "audio/wav");
  ASSERT_TRUE(answer.file);
  EXPECT_EQ(answer.file->bytes().size(), 4u);
  ASSERT_EQ(rendered.size(), 1u);
  EXPECT_EQ(EncodeBase64(rendered[0]), Midi(10));
  EXPECT_EQ(ErrorOf(render({{"midi", Midi(11)}})), "413 the piece lasts 22 seconds, expected at most 20");
  // The length is that of all events, not only of the notes.
  MidiDocument silence;
  silence.tracks.push_back({.events = {}, .end = 50'000});
  EXPECT_THAT(ErrorOf(render({{"midi", EncodeBase64(SerializeMidiDocument(silence))}})), HasSubstr("413 "));
  EXPECT_THAT(ErrorOf(render({{"midi", "AAAA"}})), HasSubstr("422 midi"));
  EXPECT_EQ(rendered.size(), 1u);
  EXPECT_EQ(Json::parse(api.Answer({"GET", "/api/v1/models", "", ""}, {}).body)["render"], true);
}

TEST_F(ApiTest, WithoutSomethingToRenderWithSaysSo) {
  EXPECT_EQ(Post("render", {{"midi", Midi()}}).status, 501);
  Api api({{"first", &model_}},
          {.limits = kLimits, .render = [](std::span<const uint8_t>, const StopToken&) -> Result<MappedFile> {
             return Error{"no soundfont was found", "install one", ErrorCode::kNotFound};
           }});
  const ApiAnswer answer =
      api.Answer({"POST", "/api/v1/render", "application/json", Json({{"midi", Midi()}}).dump()}, {});
  EXPECT_EQ(ErrorOf(answer), "501 no soundfont was found");
  EXPECT_EQ(Json::parse(answer.body)["error"]["hint"], "install one");
}

TEST_F(ApiTest, WritesPiecesBarByBarAndAsTheLibraryDoes) {
  const auto events = Events(Post("generate", {{"bars", 3}, {"count", 2}, {"seed", 5}, {"temperature", 1.1}}));
  ASSERT_FALSE(events.empty());
  size_t bars = 0;
  std::vector<std::string> pieces(2);
  for (const auto& [name, data] : events) {
    bars += name == "bar" ? 1 : 0;
    if (name == "piece") {
      pieces.at(data["index"].get<size_t>()) = data["midi"].get<std::string>();
    }
  }
  EXPECT_EQ(bars, 6u);
  EXPECT_EQ(events.back().first, "done");
  EXPECT_EQ(events.back().second["pieces"], 2);
  SamplingOptions sampling = model_.sampling;
  sampling.temperature = 1.1;
  const auto written = Composer(model_).Write(NewRequest{.bars = 3}, {.count = 2, .seed = 5, .sampling = sampling});
  ASSERT_TRUE(written.ok());
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(pieces[i], EncodeBase64((*written)[i].piece.Bytes()));
  }
}

TEST_F(ApiTest, ContinuesAndFills) {
  const auto continued = Events(Post("continue", {{"midi", Midi()}, {"prompt_bars", 2}, {"bars", 2}}));
  EXPECT_EQ(continued.back().first, "done");
  EXPECT_TRUE(
      std::any_of(continued.begin(), continued.end(), [](const auto& e) { return e.second.contains("new_bars"); }));
  const auto filled = Events(Post("fill", {{"midi", Midi()}, {"first", 2}, {"last", 3}, {"count", 2}}));
  EXPECT_EQ(filled.back().first, "done") << filled.back().second;
  EXPECT_EQ(filled.back().second["pieces"], 1);
  EXPECT_EQ(filled.back().second["ranking"].size(), 2u);
}

TEST_F(ApiTest, MeasuresAndExports) {
  const Json likelihood = Json::parse(Post("likelihood", {{"midi", Midi()}}).body);
  EXPECT_EQ(likelihood["nll_of_bars"].size(), 4u) << likelihood;
  const Json metrics = Json::parse(Post("evaluate", {{"midi", Midi()}, {"structure", false}}).body);
  EXPECT_TRUE(metrics["metrics"].contains("H1")) << metrics;
  const Json exported = Json::parse(Post("export", {{"midi", Midi()}, {"title", "<x>"}}).body);
  const std::string xml = exported["musicxml"];
  EXPECT_THAT(xml, HasSubstr("&lt;x&gt;"));
  const std::vector<uint8_t> bytes(xml.begin(), xml.end());
  const Json again = Json::parse(Post("export", {{"musicxml", EncodeBase64(bytes)}}).body);
  EXPECT_TRUE(again.contains("musicxml")) << again;
}

TEST_F(ApiTest, ReportsWhatWasRepaired) {
  const auto file = ReadFile(CONTINUO_SOURCE_DIR "/testdata/cases/lastoff.mid");
  const std::string midi = EncodeBase64(file.value());
  for (const auto& [what, more] :
       {std::pair("likelihood", Json::object()), std::pair("evaluate", Json{{"structure", false}}),
        std::pair("export", Json::object()), std::pair("continue", Json{{"prompt_bars", 4}, {"bars", 1}}),
        std::pair("fill", Json{{"first", 3}, {"last", 3}})}) {
    Json body = {{"midi", midi}};
    body.update(more);
    const ApiAnswer answer = Post(what, body);
    const Json report = answer.run ? Events(answer).back().second : Json::parse(answer.body);
    ASSERT_EQ(report["repairs"].size(), 1u) << what << report;
    EXPECT_THAT(report["repairs"][0].get<std::string>(), HasSubstr("4 notes without a note-off"));
  }
  EXPECT_TRUE(Json::parse(Post("evaluate", {{"midi", Midi()}, {"structure", false}}).body)["repairs"].empty());
}

TEST_F(ApiTest, ReportsLevelsThatWereRaised) {
  const auto file = ReadFile(CONTINUO_SOURCE_DIR "/testdata/cases/fade.mid");
  const auto events = Events(Post("continue", {{"midi", EncodeBase64(file.value())}, {"prompt_bars", 8}, {"bars", 1}}));
  const auto piece = std::find_if(events.begin(), events.end(), [](const auto& e) { return e.first == "piece"; });
  ASSERT_NE(piece, events.end());
  EXPECT_EQ(piece->second["raised_levels"][0]["controller"], 11);
  EXPECT_EQ(piece->second["raised_levels"][0]["from"], 0);
}

TEST_F(ApiTest, MakesMidiOfMusicXml) {
  const std::string xml = Json::parse(Post("export", {{"midi", Midi()}}).body)["musicxml"];
  const std::vector<uint8_t> file(xml.begin(), xml.end());
  const Json imported = Json::parse(Post("import", {{"musicxml", EncodeBase64(file)}}).body);
  const auto bytes = DecodeBase64(imported["midi"].get<std::string>());
  ASSERT_TRUE(bytes) << imported;
  const auto read = ParseScore(*bytes, "imported");
  ASSERT_TRUE(read.ok()) << read.error().message;
  size_t notes = 0;
  for (const Track& track : read->score.tracks) {
    notes += track.notes.size();
  }
  EXPECT_EQ(notes, 16u);
  EXPECT_TRUE(imported["warnings"].empty()) << imported["warnings"];
  EXPECT_THAT(ErrorOf(Post("import", {{"musicxml", "AAAA"}})), HasSubstr("422 musicxml"));
  EXPECT_THAT(ErrorOf(Post("import", {{"midi", Midi()}})), HasSubstr("400 musicxml is missing"));
}

TEST_F(ApiTest, APieceMayHaveMoreBarsThanARequestWrites) {
  const std::string midi = Midi(50);  // kLimits.bars is 40
  EXPECT_EQ(Events(Post("continue", {{"midi", midi}, {"prompt_bars", 50}, {"bars", 1}})).back().first, "done");
  EXPECT_EQ(Events(Post("fill", {{"midi", midi}, {"first", 45}, {"last", 45}})).back().first, "done");
  EXPECT_EQ(Post("evaluate", {{"midi", midi}, {"bars", 50}, {"structure", false}}).status, 200);
  EXPECT_EQ(ErrorOf(Post("fill", {{"midi", midi}, {"first", 2}, {"last", 42}})),
            "422 first is 2 and last is 42, expected at most 40 bars");
}

TEST_F(ApiTest, RefusesWhatIsNotAskedRight) {
  EXPECT_EQ(api_.Answer({"GET", "/api/v1/none", "", ""}, {}).status, 404);
  EXPECT_EQ(api_.Answer({"GET", "/etc/passwd", "", ""}, {}).status, 404);
  EXPECT_EQ(api_.Answer({"POST", "/api/v1/models", "application/json", "{}"}, {}).allow, "GET");
  EXPECT_EQ(api_.Answer({"GET", "/api/v1/generate", "", ""}, {}).status, 405);
  EXPECT_EQ(api_.Answer({"POST", "/api/v1/generate", "text/plain", "{}"}, {}).status, 415);
  EXPECT_EQ(api_.Answer({"POST", "/api/v1/generate", "application/json", "[1]"}, {}).status, 400);
  EXPECT_EQ(api_.Answer({"POST", "/api/v1/generate", "application/json", std::string(4'000'001, ' ')}, {}).status, 413);
  EXPECT_EQ(ErrorOf(Post("generate", {{"bars", 41}})), "400 bars is 41, expected a whole number from 1 to 40");
  EXPECT_EQ(ErrorOf(Post("generate", {{"bars", "4"}})), "400 bars is \"4\", expected a whole number from 1 to 40");
  EXPECT_EQ(ErrorOf(Post("generate", {{"bars", -1}})), "400 bars is -1, expected a whole number from 1 to 40");
  EXPECT_TRUE(Post("generate", {{"bars", 4.0}, {"top_k", 5.0}}).run);
  EXPECT_TRUE(Post("generate", {{"top_k", 9007199254740992.0}, {"seed", 1e19}}).run);
  EXPECT_THAT(ErrorOf(Post("generate", {{"top_k", 9007199254740994.0}})), HasSubstr("400 top_k is 9.0071992547409"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"seed", 18446744073709551616.0}})), HasSubstr("400 seed is 1.8446744073709"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"bars", 4.5}})), HasSubstr("400 bars is 4.5"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"top_k", 9007199254740993}})), HasSubstr("400 top_k is 9007199254740993"));
  EXPECT_EQ(ErrorOf(Post("generate", {{"path", "/etc"}})), "400 path is no field of this request");
  EXPECT_EQ(ErrorOf(Post("generate", {{"model", "/etc"}})),
            "404 model is /etc, expected one of those that the server was started with: first, second");
  EXPECT_EQ(ErrorOf(Post("generate", {{"keep", 3}, {"count", 2}})),
            "422 keep is 3, expected at most count, which is 2");
  EXPECT_THAT(ErrorOf(Post("generate", {{"top_p", 3}})), HasSubstr("400 top-p is 3"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"chords", "H7"}})), HasSubstr("H7"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"form", "A4 ?"}})), HasSubstr("form: '?' at byte 4"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"form", 4}})), HasSubstr("form: '4' at byte 1"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"density", 8}})), HasSubstr("density: '8'"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"density", {1, 2}}})), HasSubstr("density is array"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"loudness", "2:1 6:24"}, {"bars", 4}})), HasSubstr("bar 24 is not among"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"loudness", 3}, {"bars", 4}})), HasSubstr("no loudness"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"scale", "A miner"}})), HasSubstr("scale is 'A miner'"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"scale", {"A minor", {{"x", 1}}}}})), HasSubstr("400 scale is array"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"max_notes", 0}})), HasSubstr("max_notes is '0'"));
  // A whole number however it is written, as JSON Schema has it.
  EXPECT_THAT(ErrorOf(Post("generate", {{"max_notes", 0.0}})), HasSubstr("max_notes is '0'"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"max_notes", 1.5}})), HasSubstr("a whole number"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"bars", 2}, {"range", {"C3:C6", "C6:C7@4"}}})), HasSubstr("range is for"));
  EXPECT_THAT(ErrorOf(Post("generate", {{"keep_top", true}})), HasSubstr("keep_top is no field"));
  EXPECT_EQ(ErrorOf(Post("continue", {{"bars", 1}})), "400 midi is missing, expected a file in base64");
  EXPECT_THAT(ErrorOf(Post("continue", {{"midi", "!!!!"}})), HasSubstr("midi is not base64"));
  EXPECT_THAT(ErrorOf(Post("continue", {{"midi", "AAAA"}})), HasSubstr("422 midi"));
  EXPECT_THAT(ErrorOf(Post("continue", {{"midi", Midi()}, {"musicxml", ""}})), HasSubstr("400 midi and musicxml are"));
  EXPECT_THAT(ErrorOf(Post("continue", {{"midi", Midi(2)}, {"prompt_bars", 9}})), HasSubstr("422 "));
  EXPECT_EQ(ErrorOf(Post("continue", {{"midi", Midi()}, {"tempo", "slow"}})),
            "400 tempo is \"slow\", expected one of: keep, free");
  EXPECT_THAT(ErrorOf(Post("fill", {{"midi", Midi()}, {"first", 3}, {"last", 2}})), HasSubstr("422 last is 2"));
  EXPECT_THAT(ErrorOf(Post("export", {{"midi", Midi()}, {"smallest_note", 17}})), HasSubstr("smallest_note"));
}

TEST_F(ApiTest, ABoundedNumberWaits) {
  const Json one = {{"bars", 1}};
  std::optional<ApiAnswer> first = Post("generate", one);  // has its turn
  std::optional<ApiAnswer> second = Post("generate", one);
  ASSERT_TRUE(second->run);
  EXPECT_THAT(ErrorOf(Post("generate", one)), HasSubstr("429 1 requests wait already"));
  second.reset();  // its client is gone
  const ApiAnswer third = Post("generate", one);
  ASSERT_TRUE(third.run);
  std::vector<std::string> events;
  std::promise<void> waits;
  std::thread waiting([&] {
    third.run(
        [&](std::string_view name, const Json&) {
          events.emplace_back(name);
          if (name == "waiting") {
            waits.set_value();
          }
          return true;
        },
        {});
  });
  waits.get_future().wait();
  EXPECT_EQ(Events(*first).back().first, "done");
  first.reset();
  waiting.join();
  EXPECT_THAT(events, ElementsAre("waiting", "bar", "piece", "done"));
}

TEST(TurnsTest, WhoWaitsHearsWhenTheQueueMoves) {
  Turns turns(3);
  auto first = turns.Enter();
  auto second = turns.Enter();
  const auto third = turns.Enter();
  std::vector<size_t> before;
  EXPECT_TRUE(third->Wait({}, [&](size_t places) {
    before.push_back(places);
    (places == 2 ? first : second).reset();
    return true;
  }));
  EXPECT_THAT(before, ElementsAre(2, 1));
  const auto fourth = turns.Enter();
  EXPECT_FALSE(fourth->Wait({}, [](size_t) { return false; }));
}

TEST_F(ApiTest, AClientThatHasGoneStopsTheWork) {
  const ApiAnswer answer = Post("generate", {{"bars", 40}, {"count", 4}});
  size_t events = 0;
  answer.run(
      [&](std::string_view, const Json&) {
        ++events;
        return false;
      },
      {});
  EXPECT_EQ(events, 1u);
  const ApiAnswer stopped = Post("generate", {{"bars", 40}});
  stopped.run(
      [&](std::string_view, const Json&) {
        ++events;
        return true;
      },
      StopToken([] { return true; }));
  EXPECT_EQ(events, 1u);
}

TEST(Base64Test, IsThatOfRfc4648) {
  const auto encode = [](std::string_view text) {
    return EncodeBase64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  for (const auto& [text, encoded] : std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                                                      {"f", "Zg=="},
                                                                                      {"fo", "Zm8="},
                                                                                      {"foo", "Zm9v"},
                                                                                      {"foob", "Zm9vYg=="},
                                                                                      {"fooba", "Zm9vYmE="},
                                                                                      {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(encode(text), encoded);
    const auto decoded = DecodeBase64(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), text);
  }
  for (const char* wrong : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-_"}) {
    EXPECT_FALSE(DecodeBase64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace continuo
