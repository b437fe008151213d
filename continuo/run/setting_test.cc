#include "continuo/run/setting.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/os/file.h"

namespace continuo {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::ordered_json;
using Kind = TrainSetting::Kind;

const TrainSetting& Row(std::string_view key) {
  const TrainSetting* row = FindTrainSetting(key);
  CONTINUO_CHECK(row != nullptr);
  return *row;
}

/// A value that differs from `value` and that the setting accepts.
Json AnotherValue(const TrainSetting& row, const Json& value) {
  switch (row.value.kind) {
    case Kind::kInteger:
      return value.get<uint64_t>() + 1;
    case Kind::kReal: {
      const double some = std::max(0.5, row.value.least);
      return value == some ? 1.5 * some : some;
    }
    case Kind::kSwitch:
      return !value.get<bool>();
    case Kind::kChoice:
      return row.value.choices[value == row.value.choices[0] ? 1 : 0];
    case Kind::kText:
      return "another";
    case Kind::kIntegers:
      break;
  }
  return {1, 2};
}

std::string FaultOf(void (*change)(TrainSettings&), SettingNames names = SettingNames::kFlags) {
  TrainSettings settings;
  change(settings);
  const Status status = Check(settings, names);
  return status.ok() ? "none" : status.error().message;
}

TEST(TrainSettingTable, HasEachKeyAndEachFlagOnce) {
  std::set<std::string_view> names;
  for (const TrainSetting& row : TrainSettingTable()) {
    EXPECT_TRUE(names.insert(row.key).second) << row.key;
    EXPECT_TRUE(names.insert(row.flag).second) << row.flag;
    EXPECT_THAT(std::string(row.flag), StartsWith("--"));
    EXPECT_FALSE(row.help.empty()) << row.key;
  }
}

TEST(TrainSettingTable, NamesAFlagAfterItsKeyExceptOfAugmentation) {
  for (const TrainSetting& row : TrainSettingTable()) {
    std::string flag = fmt::format("--{}", row.key);
    std::replace(flag.begin(), flag.end(), '_', '-');
    EXPECT_TRUE(row.flag == flag || row.flag.starts_with("--augment-")) << row.flag;
  }
}

TEST(TrainSettingTable, EachRowReadsAndWritesAMemberOfItsOwn) {
  for (const TrainSetting& changed : TrainSettingTable()) {
    TrainSettings settings;
    const Json value = changed.Accept(AnotherValue(changed, changed.value.get(settings))).value();
    changed.value.set(settings, value);
    for (const TrainSetting& row : TrainSettingTable()) {
      const Json before = row.value.get(TrainSettings());
      EXPECT_EQ(row.value.get(settings), row.key == changed.key ? value : before) << changed.key << " " << row.key;
    }
  }
}

TEST(TrainSettingTable, AcceptsItsOwnDefaultsAlsoAsText) {
  const TrainSettings defaults;
  for (const TrainSetting& row : TrainSettingTable()) {
    const Json value = row.value.get(defaults);
    EXPECT_EQ(row.Accept(value).value(), value) << row.key;
    EXPECT_EQ(row.Parse(row.ToText(value)).value(), value) << row.key;
  }
  EXPECT_TRUE(Check(defaults).ok());
}

TEST(TrainSettingTable, GroupsStandTogether) {
  std::vector<TrainSetting::Group> groups;
  for (const TrainSetting& row : TrainSettingTable()) {
    if (groups.empty() || groups.back() != row.group) {
      groups.push_back(row.group);
    }
  }
  EXPECT_EQ(groups.size(), 5U);
}

TEST(TrainSetting, RejectsEachWrongValueInWords) {
  const auto fault = [](std::string_view key, std::string_view text) {
    const auto value = Row(key).Parse(text);
    return value.ok() ? "none" : value.error().message;
  };
  EXPECT_EQ(fault("batch", "0"), "must be an integer from 1 to 1000000, not 0");
  EXPECT_EQ(fault("batch", "2.5"), "must be an integer from 1 to 1000000, not 2.5");
  EXPECT_EQ(fault("batch", "-3"), "must be an integer from 1 to 1000000, not -3");
  EXPECT_EQ(fault("batch", ""), "must be an integer from 1 to 1000000, not ");
  EXPECT_EQ(fault("seed", "-1"), "must be an integer of 0 or more, not -1");
  EXPECT_EQ(fault("seed", "18446744073709551615"), "none");
  EXPECT_EQ(fault("seed", "18446744073709551616"), "must be an integer of 0 or more, not 18446744073709551616");
  EXPECT_EQ(fault("dropout", "1.5"), "must be a number from 0 to 0.99, not 1.5");
  EXPECT_EQ(fault("dropout", "0.99"), "none");
  EXPECT_EQ(fault("epsilon", "0"), "must be above 0 and at most 1, not 0");
  EXPECT_EQ(fault("epsilon", "1e-300"), "none");
  EXPECT_EQ(fault("blocks", "some"), "must be first or all, not some");
  EXPECT_EQ(fault("schedule", "flat"), "must be onecycle, cosine, linear or constant, not flat");
  EXPECT_EQ(fault("keep_epochs", "1,0"), "must be integers from 1 to 1000000, not [1,0]");
  EXPECT_EQ(Row("export_bf16").Accept(1).error().message, "must be true or false, not 1");
}

TEST(TrainSetting, RejectsWhatIsNotAFiniteNumber) {
  for (const TrainSetting& row : TrainSettingTable()) {
    if (row.value.kind != Kind::kReal) {
      continue;
    }
    for (const char* text : {"nan", "-nan", "inf", "-inf"}) {
      EXPECT_FALSE(row.Parse(text).ok()) << row.key << " " << text;
    }
    EXPECT_FALSE(row.Accept(std::numeric_limits<double>::quiet_NaN()).ok()) << row.key;
    EXPECT_FALSE(row.Accept(std::numeric_limits<double>::infinity()).ok()) << row.key;
  }
}

TEST(TrainSetting, TakesAnIntegerForARealButNotTheReverse) {
  EXPECT_EQ(Row("dropout").Accept(0).value().dump(), "0.0");
  EXPECT_FALSE(Row("batch").Accept(8.0).ok());
}

TEST(Check, NamesSettingsByTheirFlagsOrKeys) {
  const auto narrow = [](TrainSettings& s) {
    s.model.width = 33;
    s.model.heads = 2;
  };
  EXPECT_EQ(FaultOf(narrow), "--width 33 is not a multiple of --heads 2");
  EXPECT_EQ(FaultOf(narrow, SettingNames::kKeys), "width 33 is not a multiple of heads 2");
  const auto no_epsilon = [](TrainSettings& s) { s.optimizer.epsilon = 0; };
  EXPECT_EQ(FaultOf(no_epsilon), "--epsilon must be above 0 and at most 1, not 0");
  EXPECT_EQ(FaultOf(no_epsilon, SettingNames::kKeys), "epsilon must be above 0 and at most 1, not 0");
}

TEST(Check, AShortWindowFitsIntoTheContextIfThereAreShortWindows) {
  const auto long_window = [](TrainSettings& s) {
    s.model.context_length = 256;
    s.short_context = 60000;
  };
  EXPECT_EQ(FaultOf(long_window), "none");
  EXPECT_EQ(FaultOf([](TrainSettings& s) {
              s.model.context_length = 256;
              s.short_context = 60000;
              s.short_share = 0.5;
            }),
            "--short-context 60000 is larger than --context 256");
}

TEST(Check, ZeroHeadsAreAnErrorOfTheRange) {
  EXPECT_THAT(FaultOf([](TrainSettings& s) { s.model.heads = 0; }), HasSubstr("--heads must be an integer from 1"));
}

TEST(FlagsOf, StateEverySettingOfASpec) {
  TrainSettings settings;
  settings.augment_tempo = true;
  settings.schedule.cycle_momentum = false;
  settings.patience = 3;
  const std::vector<std::string> flags = FlagsOf(settings);
  const std::string line = fmt::format(" {} ", fmt::join(flags, " "));
  for (const char* stated : {" --layers 12 ", " --blocks all ", " --lr 0.0004 ", " --epsilon 1e-08 ", " --patience 3 ",
                             " --augment-tempo ", " --no-cycle-momentum "}) {
    EXPECT_THAT(line, HasSubstr(stated));
  }
  for (const char* left_out : {"--augment-transpose", "--export-bf16", "--seed", "--threads", "--keep-epochs"}) {
    EXPECT_THAT(line, testing::Not(HasSubstr(left_out)));
  }
}

// The table in docs/training.md.

std::string MarkdownTable() {
  const TrainSettings defaults;
  std::string text;
  std::string_view group;
  for (const TrainSetting& row : TrainSettingTable()) {
    if (ToString(row.group) != group) {
      group = ToString(row.group);
      text += fmt::format("\n**{}**\n\n| flag | values | default | |\n|---|---|---|---|\n", group);
    }
    const std::string plain_key = [&] {
      std::string key(row.flag.substr(2));
      std::replace(key.begin(), key.end(), '-', '_');
      return key;
    }();
    std::string notes;
    notes += row.key != plain_key ? fmt::format("; in a spec `{}`", row.key) : "";
    notes += (row.absence & TrainSetting::kNotInSpec) != 0 ? " ¹" : "";
    notes += (row.absence & TrainSetting::kNotInPretrain) != 0 ? " ²" : "";
    notes += row.effect != TrainSetting::Effect::kWeights ? " ³" : "";
    const std::string value = row.ToText(row.value.get(defaults));
    text += fmt::format("| `{}` | {} | {} | {}{} |\n", row.flag, row.value.kind == Kind::kSwitch ? "" : row.Expected(),
                        row.value.kind == Kind::kSwitch ? "off" : value, row.help, notes);
  }
  return text;
}

TEST(Docs, TrainingMdHasTheTableOfSettings) {
  constexpr std::string_view kBegin = "<!-- settings: written by CONTINUO_UPDATE_DOCS=1 run_test -->\n";
  constexpr std::string_view kEnd = "\n<!-- end of settings -->";
  const std::filesystem::path path = std::filesystem::path(CONTINUO_SOURCE_DIR) / "docs" / "training.md";
  std::string text = ReadTextFile(path).value();
  const size_t begin = text.find(kBegin);
  const size_t end = text.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end);
  const size_t from = begin + kBegin.size();
  if (std::getenv("CONTINUO_UPDATE_DOCS") != nullptr) {
    text.replace(from, end - from, MarkdownTable());
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    return;
  }
  EXPECT_EQ(text.substr(from, end - from), MarkdownTable()) << "run CONTINUO_UPDATE_DOCS=1 build/bin/run_test";
}

}  // namespace
}  // namespace continuo
