#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "continuo/metrics/catalogue.h"
#include "continuo/report/comparison.h"
#include "continuo/report/page.h"
#include "continuo/report/payload.h"
#include "continuo/report/piece_notes.h"
#include "continuo/results/claim.h"
#include "continuo/results/results_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

uint64_t Take(const std::vector<uint8_t>& bytes, size_t& at) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = bytes.at(at++);
    number |= uint64_t{byte & 127u} << shift;
    if (byte < 128) {
      return number;
    }
  }
}

TEST(JsonForScript, CannotEndTheElementThatContainsIt) {
  const std::string hostile = "</script><!--<script>]]>&amp;\xe2\x80\xa8 \xff\"\\";
  const std::string text = JsonForScript({{hostile, {hostile, 1.5}}});
  EXPECT_THAT(text, Not(HasSubstr("<")));
  EXPECT_THAT(text, Not(HasSubstr(">")));
  EXPECT_THAT(text, Not(HasSubstr("&")));
  for (const char c : text) {
    EXPECT_TRUE(c >= ' ' && c < 127) << static_cast<int>(c);
  }
  const Json back = Json::parse(text, nullptr, false);
  EXPECT_EQ(back.begin().key(), "</script><!--<script>]]>&amp;\xe2\x80\xa8 \xef\xbf\xbd\"\\");
}

TEST(MakePage, HasTheDataOnceAndNoPlaceholder) {
  const std::string page = MakePage({{"x", "@CONTINUO_STUDY@</script>"}});
  EXPECT_THAT(page, HasSubstr(R"({"x":"@CONTINUO_STUDY@\u003c/script\u003e"})"));
  EXPECT_EQ(page.find("@CONTINUO_STUDY@"), page.rfind("@CONTINUO_STUDY@"));
}

TEST(MakePage, LoadsNothing) {
  const std::string page = MakePage(Json::object());
  EXPECT_THAT(page, Not(HasSubstr("src=\"http")));
  EXPECT_THAT(page, Not(HasSubstr("href=\"http")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
}

TEST(PackNotes, SaysEachNoteTempoPedalAndBar) {
  Score score;
  score.ticks_per_quarter = 480;
  score.tempos = {{0, 500000}, {960, 400000}};
  Track piano;
  piano.notes = {{0, 480, 60, 100}, {2000, 300, 72, 50}, {1920, 200, 64, 90}};
  piano.pedals = {{100, 700}};
  Track drums;
  drums.is_drum = true;
  drums.notes = {{0, 100, 36, 100}};
  score.tracks = {piano, drums};
  const Result<std::vector<uint8_t>> packed = PackNotes(score, 1);
  ASSERT_TRUE(packed.ok());
  std::vector<uint64_t> numbers;
  for (size_t at = 0; at < packed->size();) {
    numbers.push_back(Take(*packed, at));
  }
  EXPECT_THAT(numbers, ElementsAre(480, 1920,                  // the prompt ends with bar 1
                                   2, 0, 500000, 960, 400000,  // tempos
                                   2, 0, 1920,                 // bars
                                   1, 100, 700,                // pedals
                                   3, 0, 480, 60, 100, 1920, 200, 64, 90, 80, 300, 72, 50));
}

TEST(PackNotes, RefusesMoreBarsThanAPageCanDraw) {
  Score score;
  score.ticks_per_quarter = 1;
  score.tracks.emplace_back().notes = {{2000000000, 1, 60, 60}};
  EXPECT_FALSE(PackNotes(score, 0).ok());
}

TEST(StudentQuantile, EqualsTheTables) {
  EXPECT_NEAR(StudentQuantile(0.95, 1), 12.706, 0.001);
  EXPECT_NEAR(StudentQuantile(0.95, 10), 2.2281, 0.0001);
  EXPECT_NEAR(StudentQuantile(0.99, 30), 2.7500, 0.0001);
  EXPECT_NEAR(StudentQuantile(0.95, 1e9), 1.95996, 0.0001);
}

TEST(Compare, IsWelchsTestForOneCellASide) {
  // Welch by hand: 3^2/9 + 4^2/16 = 2; freedom 2^2 / (1/8 + 1/15).
  const Summary a{9, 10, 3, 0, 0};
  const Summary b{16, 15, 4, 0, 0};
  const Difference difference = Compare(std::vector{a}, std::vector{b});
  EXPECT_DOUBLE_EQ(difference.value, 5);
  EXPECT_DOUBLE_EQ(difference.error, std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(difference.freedom, 4 / (1.0 / 8 + 1.0 / 15));
}

TEST(Compare, HasNoIntervalIfASideIsASinglePiece) {
  EXPECT_TRUE(std::isnan(
      Compare(std::vector{Summary{1, 10, NAN, 0, 0}}, std::vector{Summary{9, 10, 3, 0, 0}}).HalfWidth(0.95)));
}

TEST(MakePayload, SurvivesNestedSettingsAndBrokenMidi) {
  ResultsFile file;
  file.Run("r", "m", "t", "{\"deep\": " + std::string(20000, '[') + std::string(20000, ']') + ", \"width\": 256}");
  file.Set("s", "r", 10, 0.8, 0.1);
  file.Sql(
      "INSERT INTO pieces(id, set_id, number, name, midi, scape) VALUES (1, 's', 0, 'p', x'4d54686400', "
      "x'ffffffff00')");
  const Json payload = MakePayload(file.Read());
  EXPECT_EQ(payload["runs"][0]["settings"], Json({{"width", 256}}));
  EXPECT_TRUE(payload["sets"][0]["pieces"][0].contains("silent"));
  EXPECT_FALSE(payload["sets"][0]["pieces"][0].contains("data"));
}

TEST(MakePayload, LeavesOutNotesBeyondTheLimitButKeepsTheirNumbers) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1);
  file.Sql(
      "INSERT INTO pieces(id, set_id, number, name, midi, notes) VALUES (1, 's', 0, 'p', x'00', 3), (2, 's', 1, 'q', "
      "x'00', 4)");
  const Json pieces = MakePayload(file.Read(), {.playable = 1})["sets"][0]["pieces"];
  EXPECT_THAT(pieces[0]["silent"].get<std::string>(), Not(HasSubstr("left out")));  // it was looked at
  EXPECT_THAT(pieces[1]["silent"].get<std::string>(), HasSubstr("left out"));
  EXPECT_EQ(pieces[1]["notes"], 4);
}

TEST(MakePayload, HasTheCatalogueOfMetricsWithTheUsualOnesFirst) {
  const Json metrics = MakePayload({})["metrics"];
  EXPECT_EQ(metrics.size(), MetricCatalogue().size());
  bool was_usual = true;
  for (const Json& metric : metrics) {
    const MetricRow* row = FindMetric(metric["name"].get<std::string>());
    ASSERT_NE(row, nullptr) << metric;
    EXPECT_EQ(metric["title"], row->title);
    EXPECT_EQ(metric["description"], row->description);
    EXPECT_GE(metric["digits"], 1);
    EXPECT_EQ(metric["ranking"], row->ranking);
    EXPECT_TRUE(was_usual || !metric["usual"]) << metric;
    was_usual = metric["usual"];
  }
  const auto h4 =
      std::find_if(metrics.begin(), metrics.end(), [](const Json& metric) { return metric["name"] == "H4"; });
  EXPECT_EQ((*h4)["better"], 1);
}

TEST(MakePayload, HoldsTheClaimsOfTheExperimentAgainstItsResults) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("a", "r", 10, 0.673, 0.05);
  file.Set("b", "r", 30, 0.862, 0.05);
  EXPECT_EQ(MakePayload(file.Read())["claims"], Json::array());
  file.Sql("INSERT INTO meta VALUES ('claims', '" +
           ClaimsToJson({{.text = "it rises",
                          .axis = "checkpoint",
                          .value = {"30"},
                          .against = {"10"},
                          .metrics = {"GS"},
                          .relative = true,
                          .least = 0.14}}) +
           "')");
  const Json claim = MakePayload(file.Read())["claims"].at(0);
  EXPECT_EQ(claim["text"], "it rises");
  EXPECT_EQ(claim["verdict"], "holds");
  EXPECT_EQ(claim["least"], 0.14);
  EXPECT_EQ(claim["most"], nullptr);
  EXPECT_EQ(claim["parts"][0]["mean_value"], 0.862);
  EXPECT_EQ(claim["parts"][0]["published"], nullptr);
  file.Sql("UPDATE meta SET value = '[[[' WHERE key = 'claims'");
  EXPECT_EQ(MakePayload(file.Read())["claims"], Json::array());
}

TEST(MakePayload, HasKindsAndStatusesAsTexts) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1, 20, "failed");
  const Json payload = MakePayload(file.Read());
  EXPECT_EQ(payload["format"], 2);
  EXPECT_EQ(payload["sets"][0]["kind"], "grid");
  EXPECT_EQ(payload["sets"][0]["status"], "failed");
  EXPECT_EQ(payload["runs"][0]["status"], "done");
}

TEST(MakePayload, ComparesOnlyMetricsOfTheCatalogueThatAreCompared) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("a", "r", 10, 0.5, 0.1);
  file.Set("b", "r", 20, 0.9, 0.1);
  file.Sql("INSERT INTO set_metrics VALUES ('a', 'notes', 20, 100, 1, 99, 101), ('b', 'notes', 20, 900, 1, 899, 901)");
  const Json payload = MakePayload(file.Read());
  for (const Json& contrast : payload["contrasts"]) {
    EXPECT_EQ(contrast["metric"], "GS");
  }
}

TEST(MakePayload, ThinsOutLongCurvesAndKeepsTheirMeansAndCheckpoints) {
  ResultsFile file;
  file.Run("r", "m", "t");
  std::string rows;
  for (int step = 0; step < 3000; ++step) {
    rows += fmt::format("{}('r', {}, {}, {}, {}, {})", step > 0 ? "," : "", step, step * 0.01, step % 2 == 0 ? 1 : 3,
                        step % 2 == 0 ? "2.5" : "NULL", step == 1234 ? "60" : "NULL");
  }
  file.Sql("INSERT INTO curve(run, step, epoch, train_loss, valid_nll_token, valid_nll_bar) VALUES " + rows);
  const Json run = MakePayload(file.Read())["runs"][0];
  EXPECT_EQ(run["train"].size(), 300U);
  for (const Json& point : run["train"]) {
    EXPECT_EQ(point[1], 2.0);  // the mean of 1 and 3
  }
  EXPECT_EQ(run["train"].back()[0], 29.99);
  EXPECT_LE(run["valid"].size(), 302U);
  const bool has_checkpoint =
      std::any_of(run["valid"].begin(), run["valid"].end(), [](const Json& point) { return point[3] == 60.0; });
  EXPECT_TRUE(has_checkpoint);
}

TEST(MakePayload, PutsAPiecesValuesInItsPlaceAndNullWhereItHasNone) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1);
  for (int piece = 1; piece <= 3; ++piece) {
    file.Piece(piece, "s", piece - 1);
  }
  file.Sql("INSERT INTO piece_metrics VALUES (1, 'GS', 0.5), (3, 'GS', 0.123456789), (2, 'CPI', 1)");
  const Json set = MakePayload(file.Read())["sets"][0];
  EXPECT_EQ(set["values"]["GS"], Json({0.5, nullptr, 0.123457}));  // six digits
  EXPECT_EQ(set["values"]["CPI"], Json({nullptr, 1.0}));
}

TEST(MakePayload, NamesPiecesOfVotesAndChoicesByTheirPlaces) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1);
  file.Piece(7, "s", 0);
  file.Piece(5, "s", 1);
  file.Sql("INSERT INTO votes(winner, loser, at) VALUES (5, 7, 'then')");
  file.Sql("INSERT INTO choices VALUES ('song', 7, 'why', 'now')");
  const Json payload = MakePayload(file.Read());
  EXPECT_EQ(payload["votes"], Json::parse(R"([{"winner": [0, 1], "loser": [0, 0], "at": "then"}])"));
  EXPECT_EQ(payload["choices"], Json::parse(R"([{"prompt": "song", "piece": [0, 0], "note": "why", "at": "now"}])"));
}

TEST(RunVariants, AreEmptyWhereModelAndTokenizerTellRunsApart) {
  ResultsFile file;
  file.Run("r1", "m", "t", R"({"width": 64})");
  file.Run("r2", "n", "t", R"({"width": 128})");
  EXPECT_THAT(RunVariants(file.Read()), ElementsAre("", ""));
}

TEST(MakePayload, GivesTheSameBytesAgain) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1);
  EXPECT_EQ(MakePayload(file.Read()).dump(), MakePayload(file.Read()).dump());
}

TEST(CompareAxes, ReportsOnlyWhatTheIntervalsSupport) {
  ResultsFile file;
  file.Run("m1 t1", "m1", "t1");
  file.Run("m1 t2", "m1", "t2");
  file.Run("m2 t1", "m2", "t1");
  file.Run("m2 t2", "m2", "t2");
  int number = 0;
  for (const char* run : {"m1 t1", "m1 t2", "m2 t1", "m2 t2"}) {
    // Epochs differ by twelve standard errors, models by a twentieth of one.
    const double model = run[1] == '2' ? 0.001 : 0;
    file.Set(std::to_string(number++), run, 9, 0.60 + model, 0.1);
    file.Set(std::to_string(number++), run, 100, 0.80 + model, 0.1);
  }
  file.Set("alone", "m1 t1", 50, 0.1, 0.001);  // has no counterpart
  const ResultsSnapshot data = file.Read();
  constexpr std::string_view kGs[] = {"GS"};
  const std::vector<Contrast> contrasts = CompareAxes(data, kGs);
  const auto find = [&](const std::string& axis, const std::string& within) {
    const auto found = std::find_if(contrasts.begin(), contrasts.end(), [&](const Contrast& contrast) {
      return contrast.axis == axis && contrast.within == within;
    });
    CONTINUO_CHECK(found != contrasts.end());
    return *found;
  };
  const Contrast epochs = find("epoch", "");
  EXPECT_EQ(epochs.a, "9");  // by number, not as text
  EXPECT_EQ(epochs.b, "100");
  EXPECT_EQ(epochs.pairs, 4u);
  EXPECT_NEAR(epochs.difference.value, 0.2, 1e-12);
  EXPECT_TRUE(epochs.clear);
  const Contrast models = find("model", "");
  EXPECT_EQ(models.pairs, 4u);
  EXPECT_NEAR(models.difference.value, 0.001, 1e-12);
  EXPECT_FALSE(models.clear);
  EXPECT_EQ(find("model", "t2").pairs, 2u);
  EXPECT_EQ(find("tokenizer", "m1").pairs, 2u);

  const std::vector<Finding> findings = Findings(data, contrasts);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].axis, "epoch");
  EXPECT_THAT(findings[0].text, HasSubstr("From epoch 9 to epoch 100, GS rises by 0.2"));
}

TEST(CompareAxes, NamesTheGroupsThatGoTheOtherWay) {
  ResultsFile file;
  file.Run("m1 t", "m1", "t");
  file.Run("m2 t", "m2", "t");
  file.Set("1", "m1 t", 10, 0.2, 0.1);
  file.Set("2", "m1 t", 20, 0.9, 0.1);
  file.Set("3", "m2 t", 10, 0.8, 0.1);
  file.Set("4", "m2 t", 20, 0.5, 0.1);
  const ResultsSnapshot data = file.Read();
  constexpr std::string_view kGs[] = {"GS"};
  const std::vector<Finding> findings = Findings(data, CompareAxes(data, kGs));
  const auto epochs =
      std::find_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.axis == "epoch"; });
  ASSERT_NE(epochs, findings.end());
  EXPECT_EQ(epochs->metric, "GS");
  EXPECT_THAT(epochs->text, HasSubstr("GS rises by 0.2"));
  EXPECT_THAT(epochs->text, HasSubstr("Not everywhere: it falls for m2 t (by 0.3)."));
}

TEST(Findings, ComparesTheHighestCellWithRealMusicWhereTheirIntervalsAreDisjoint) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("a", "r", 10, 0.95, 0.1);
  file.Set("b", "r", 20, 0.90, 0.1);
  file.Sql("INSERT INTO sets(id, kind, label, seed, status) VALUES ('real', 'real', 'real music', 1, 'done')");
  file.Sql("INSERT INTO set_metrics VALUES ('real', 'GS', 20, 0.85, 0.1, 0.84, 0.86)");
  const std::vector<Finding> above = Findings(file.Read(), {});
  ASSERT_EQ(above.size(), 1U);
  EXPECT_EQ(above[0].axis, "best");
  EXPECT_THAT(above[0].text, HasSubstr("The highest GS, 0.95 (r epoch 10), lies above that of real music, 0.85"));
  file.Sql("UPDATE set_metrics SET high = 0.945 WHERE set_id = 'real'");  // which the interval of 0.95 reaches
  EXPECT_TRUE(Findings(file.Read(), {}).empty());
}

TEST(Findings, CallMetricsByTheirTitles) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("a", "r", 10, 0.5, 0.1);
  file.Set("b", "r", 20, 0.5, 0.1);
  file.Sql(
      "INSERT INTO set_metrics VALUES ('a', 'notes_per_bar', 20, 5, 0.1, 4.9, 5.1), ('b', 'notes_per_bar', 20, 9, "
      "0.1, 8.9, 9.1), ('a', 'valid_nll_bar', 20, 90, 1, 89, 91), ('b', 'valid_nll_bar', 20, 50, 1, 49, 51)");
  const ResultsSnapshot data = file.Read();
  constexpr std::string_view kMetrics[] = {"notes_per_bar", "valid_nll_bar"};
  const std::vector<Finding> findings = Findings(data, CompareAxes(data, kMetrics));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[0].text, HasSubstr("From epoch 10 to epoch 20, notes per bar rises by 4"));
  EXPECT_THAT(findings[1].text, HasSubstr("NLL per bar falls by 40"));
}

TEST(CompareAxes, IgnoresDifferencesOfRoundingSize) {
  ResultsFile file;
  file.Run("m t", "m", "t");
  file.Set("1", "m t", 10, 1.0, 1e-17);
  file.Set("2", "m t", 20, 1.0 - 1e-14, 1e-17);
  const ResultsSnapshot data = file.Read();
  constexpr std::string_view kGs[] = {"GS"};
  EXPECT_TRUE(Findings(data, CompareAxes(data, kGs)).empty());
}

TEST(CompareAxes, FindsTheSettingThatRunsOfOneModelDifferIn) {
  ResultsFile file;
  file.Run("r1", "m", "t", R"({"transpose": false, "width": 64})");
  file.Run("r2", "m", "t", R"({"transpose": true, "width": 64})");
  file.Set("a", "r1", 10, 0.6, 0.1);
  file.Set("b", "r2", 10, 0.9, 0.1);
  const ResultsSnapshot data = file.Read();
  EXPECT_THAT(RunVariants(data), ElementsAre("transpose false", "transpose true"));
  constexpr std::string_view kGs[] = {"GS"};
  const std::vector<Contrast> contrasts = CompareAxes(data, kGs);
  ASSERT_EQ(contrasts.size(), 1u);
  EXPECT_EQ(contrasts[0].axis, "transpose");
  EXPECT_TRUE(contrasts[0].clear);
}

}  // namespace
}  // namespace continuo
