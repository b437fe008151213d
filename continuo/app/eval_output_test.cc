#include "continuo/app/eval_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

/// A piece of quarter notes, one per beat.
Score Quarters(std::vector<uint8_t> pitches) {
  Score score;
  score.ticks_per_quarter = 480;
  Track& track = score.tracks.emplace_back();
  for (const uint8_t pitch : pitches) {
    track.notes.push_back({static_cast<Tick>(track.notes.size()) * 480, 480, pitch, 80});
  }
  return score;
}

EvalResult Measure(const std::vector<SetPiece>& pieces) {
  EvalResult result;
  result.set = MeasureSet(pieces, {}).value();
  return result;
}

EvalResult TwoPieces() {
  return Measure({{"a.mid", Quarters({60, 62, 64, 65, 60, 62, 64, 65})}, {"b.mid", Quarters({60, 60, 60, 60})}});
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST(EvalToJson, HasEveryMetricOfEveryFileAndMeansOfTheBarMetrics) {
  const Json json = EvalToJson(TwoPieces());
  ASSERT_EQ(json["files"].size(), 2U);
  const Json& a = json["files"][0];
  EXPECT_EQ(a["file"], "a.mid");
  EXPECT_EQ(a["bars"].dump(), "2");  // counts are integers
  EXPECT_EQ(a["H1"], 2.0);
  EXPECT_EQ(a["SI_short"], nullptr);
  EXPECT_TRUE(a["key"].is_string());
  EXPECT_FALSE(a.contains("copied"));
  for (const MetricRow& metric : PieceMetrics()) {
    EXPECT_TRUE(a.contains(metric.name)) << metric.name;
    EXPECT_EQ(json["mean"].contains(metric.name), metric.group == MetricGroup::kBars) << metric.name;
  }
  EXPECT_EQ(json["mean"]["H1"], 1.0);
  EXPECT_EQ(json["mean"]["SI_short"], nullptr);
  EXPECT_EQ(json["ci95"]["H1"].size(), 2U);
  EXPECT_EQ(json["distinct_runs"], 1.0);
  EXPECT_FALSE(json.contains("distances"));
}

TEST(EvalToJson, CountsBarsOfCopiesFromOne) {
  EvalResult result = TwoPieces();
  result.copies = {{.notes = 9, .song = 1, .bar = 0, .song_bar = 4}, {}};
  result.songs = {"x.mid", "y.mid"};
  const Json json = EvalToJson(result);
  EXPECT_EQ(json["files"][0]["copied"], Json({{"notes", 9}, {"bar", 1}, {"song", "y.mid"}, {"song_bar", 5}}));
  EXPECT_EQ(json["files"][1]["copied"], Json({{"notes", 0}, {"bar", 1}}));
}

TEST(EvalToTsv, HasAHeaderAndALinePerFileWithAllDigits) {
  const std::vector<std::string> lines = LinesOf(EvalToTsv(TwoPieces()));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], StartsWith("file\tbars\tnotes\tH1\tH4\tGS\tCPI\t"));
  EXPECT_THAT(lines[1], StartsWith("a.mid\t2\t8\t2\t2\t1\t"));
  EXPECT_EQ(std::count(lines[1].begin(), lines[1].end(), '\t'), std::count(lines[0].begin(), lines[0].end(), '\t'));
}

TEST(EvalToText, ShowsMeansOfSeveralFilesOnly) {
  EXPECT_THAT(EvalToText(TwoPieces(), std::nullopt, false), HasSubstr("\nmean of 2 "));
  const std::string one = EvalToText(Measure({{"a.mid", Quarters({60})}}), std::nullopt, false);
  EXPECT_EQ(LinesOf(one).size(), 2U);
  EXPECT_THAT(one, Not(HasSubstr("nan")));
  EXPECT_THAT(one, HasSubstr("  -"));  // GS of a single bar
}

TEST(EvalToText, DescribesPiecesWhenAskedTo) {
  EXPECT_THAT(EvalToText(TwoPieces(), std::nullopt, false), Not(HasSubstr("polyphony")));
  const std::string text = EvalToText(TwoPieces(), std::nullopt, true);
  EXPECT_THAT(text, HasSubstr("polyphony"));
  EXPECT_THAT(text, HasSubstr("\na.mid: C major"));
}

TEST(EvalToText, ColumnsLineUpWhateverTheLengthOfTheNames) {
  const EvalResult result =
      Measure({{"a-name-of-more-than-twenty-four-letters.mid", Quarters({60})}, {"b.mid", Quarters({60})}});
  const std::vector<std::string> lines = LinesOf(EvalToText(result, std::nullopt, false));
  for (const std::string& line : lines) {
    EXPECT_EQ(line.size(), lines[0].size()) << line;
  }
}

TEST(EvalToText, ListsDistancesAndCopies) {
  EvalResult result = TwoPieces();
  result.distances = {{"pitches_used", 1, 2, 0.75, 0.125}};
  result.copies = {{.notes = 9, .song = 0, .bar = 2, .song_bar = 0}, {}};
  result.songs = {"x.mid"};
  const std::string text = EvalToText(result, std::nullopt, false);
  EXPECT_THAT(text, HasSubstr("pitches_used                0.750       0.125           1.000     2.000"));
  EXPECT_THAT(text, HasSubstr("\na.mid: 9 notes, bar 3; in x.mid, bar 1\nb.mid: none"));
}

/// Two pieces, and a reference of one in which each bar is like the one before.
EvalResult Compared() {
  EvalResult result = TwoPieces();
  result.reference = Measure({{"r.mid", Quarters({60, 62, 64, 65, 60, 62, 64, 65, 60, 62, 64, 65})}}).set;
  TwoSample test;
  test.pieces = 12;
  test.forest = {0.875, 0.75, 0.9375};
  test.forest_without_form = {0.625, 0.5, 0.75};
  test.logistic = {0.75, 0.5, 1};
  test.differences = {{0, 14, 1, 10.5, 2, 1.25}, {139, 0.5, 0.25, 0.75, 0.125, -0.5}};
  result.two_sample = test;
  return result;
}

TEST(EvalToText, ComparesFormAndShowsWhatGivesTheSetAway) {
  const std::string text = EvalToText(Compared(), std::nullopt, false);
  // a.mid has its bar twice, so after one bar all returns; b.mid has one bar.
  EXPECT_THAT(text, HasSubstr("\nexact notes                 1.000        -"));
  EXPECT_THAT(text, HasSubstr("\n  reference                 1.000    1.000        -"));
  EXPECT_THAT(text, HasSubstr("\nstructure, whole pieces         -        -        -"));
  EXPECT_THAT(text, HasSubstr("12 pieces of each set"));
  EXPECT_THAT(text, HasSubstr("\n  random forest                     0.875  [0.750, 0.938]"));
  EXPECT_THAT(text, HasSubstr("\n  notes per bar "));
  EXPECT_THAT(text, HasSubstr("14.000     10.500       +1.25"));
}

TEST(EvalToText, SaysWhyThereIsNoTwoSampleTest) {
  EvalResult result = Compared();
  result.two_sample = Result<TwoSample>(Error{.message = "2 pieces are too few", .hint = "it needs more"});
  EXPECT_THAT(EvalToText(result, std::nullopt, false),
              HasSubstr("\n\ntwo-sample test: left out; 2 pieces are too few (it needs more)"));
  EXPECT_EQ(EvalToJson(result)["two_sample"], Json({{"left_out", "2 pieces are too few (it needs more)"}}));
}

TEST(EvalToJson, HasFormAndTheTwoSampleTest) {
  EXPECT_FALSE(EvalToJson(TwoPieces()).contains("form"));
  EXPECT_FALSE(EvalToJson(TwoPieces()).contains("two_sample"));
  const Json json = EvalToJson(Compared());
  EXPECT_EQ(json["form"]["set"]["exact"].size(), 24U);
  EXPECT_EQ(json["form"]["set"]["exact"][0], 1.0);
  EXPECT_EQ(json["form"]["set"]["rhythm"][1], nullptr);
  EXPECT_EQ(json["form"]["reference"]["exact"][1], 1.0);
  const Json& test = json["two_sample"];
  EXPECT_EQ(test["pieces"], 12);
  EXPECT_EQ(test["forest"], Json({{"auc", 0.875}, {"ci95", {0.75, 0.9375}}}));
  EXPECT_EQ(test["forest_without_form"]["auc"], 0.625);
  EXPECT_EQ(test["logistic"]["ci95"], Json({0.5, 1.0}));
  ASSERT_EQ(test["features"].size(), 2U);
  EXPECT_EQ(test["features"][0]["feature"], "notes per bar");
  EXPECT_EQ(test["features"][0]["reference_mean"], 10.5);
  EXPECT_EQ(test["features"][0]["form"], false);
  EXPECT_EQ(test["features"][1]["form"], true);
  EXPECT_EQ(test["features"][1]["id"], "cs1");
  EXPECT_EQ(test["features"][1]["difference"], -0.5);
}

TEST(ParseEvalReference, ReadsWhatEvalPrints) {
  Json json = EvalToJson(TwoPieces());
  EXPECT_EQ(ParseEvalReference(json.dump(), "ref.json")->name, "ref.json");
  json["name"] = "my songs";
  const std::optional<EvalReference> reference = ParseEvalReference(json.dump(), "ref.json").value();
  EXPECT_EQ(reference->name, "my songs");
  const std::vector<std::string> lines = LinesOf(EvalToText(TwoPieces(), reference, false));
  EXPECT_THAT(lines[lines.size() - 2], StartsWith("my songs "));
  EXPECT_THAT(lines[lines.size() - 2], HasSubstr(" 1.000"));  // the mean of H1
}

TEST(ParseEvalReference, NamesAFileOfAnotherKind) {
  for (const char* text : {"", "[]", "{\"mean\": {}}", "{\"mean\": 1, \"std\": {}}"}) {
    EXPECT_THAT(ParseEvalReference(text, "ref.json").error().message, StartsWith("ref.json: ")) << text;
  }
}

}  // namespace
}  // namespace continuo
