#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/text/ngram.h"
#include "continuo/text/subword_tokenizer.h"
#include "continuo/text/text_corpus.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

void Write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string Gzip(const fs::path& path, std::string_view text) {
  const gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(file);
  return ReadTextFile(path).value();
}

/// Lines enough for pieces to be learnt.
std::vector<std::string> SomeLines() {
  const std::vector<std::string> subjects = {"the cat", "a small dog", "my mother", "the old king", "nobody"};
  const std::vector<std::string> verbs = {"sees", "follows", "remembers", "sings to", "waited for"};
  const std::vector<std::string> objects = {"the moon.", "a green river.", "her brothers.", "Tom's ship?",
                                            "caf\xc3\xa9s!"};
  std::vector<std::string> lines;
  for (const std::string& subject : subjects) {
    for (const std::string& verb : verbs) {
      for (const std::string& object : objects) {
        lines.push_back(subject + " " + verb + " " + object);
      }
    }
  }
  return lines;
}

TEST(TextCorpusTest, LinesAreCutIntoDocumentsAtLineEnds) {
  const TemporaryFolder folder;
  Write(folder.path() / "a.txt", "one two\r\n\n  three four  \nfive\nsix");
  const auto documents = ReadTextCorpus({folder.path() / "a.txt"}, {.valid_fraction = 0, .document_bytes = 12});
  ASSERT_TRUE(documents.ok()) << documents.error().ToString();
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_THAT((*documents)[0].lines, ElementsAre("one two", "three four"));
  EXPECT_THAT((*documents)[1].lines, ElementsAre("five", "six"));
}

TEST(TextCorpusTest, PackedAndPlainFilesAreOneAndAFolderStandsForItsFiles) {
  const TemporaryFolder folder;
  Gzip(folder.path() / "b.gz", "packed line\n");
  Write(folder.path() / "a.txt", "plain line\n");
  Write(folder.path() / "c.md", "not read\n");
  const auto documents = ReadTextCorpus({folder.path()}, {});
  ASSERT_TRUE(documents.ok()) << documents.error().ToString();
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_THAT((*documents)[0].lines, ElementsAre("plain line"));
  EXPECT_THAT((*documents)[1].lines, ElementsAre("packed line"));
}

TEST(TextCorpusTest, TheContentAloneDecidesTheSplitAndACopyIsLeftOut) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) {
    text += "line number " + std::to_string(i) + "\n";
  }
  Write(folder.path() / "a.txt", text);
  Write(folder.path() / "z.txt", text);
  const TextCorpusOptions options{.valid_fraction = 0.25, .document_bytes = 1};
  const auto documents = ReadTextCorpus({folder.path() / "a.txt"}, options).value();
  const auto renamed = ReadTextCorpus({folder.path() / "z.txt"}, options).value();
  const auto both = ReadTextCorpus({folder.path()}, options).value();
  ASSERT_EQ(documents.size(), 400u);
  EXPECT_EQ(both.size(), 400u);
  size_t valid = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(documents[i].valid, renamed[i].valid);
    valid += documents[i].valid;
  }
  EXPECT_NEAR(static_cast<double>(valid), 100.0, 4 * std::sqrt(400 * 0.25 * 0.75));
}

TEST(TextCorpusTest, WhatCannotBeReadIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  const auto fails = [&](const fs::path& path) {
    const auto documents = ReadTextCorpus({path}, {});
    ASSERT_FALSE(documents.ok()) << path;
    EXPECT_THAT(documents.error().message, HasSubstr(path.string()));
  };
  fails(folder.path() / "none.txt");
  fails(folder.path());  // an empty folder
  Write(folder.path() / "blank.txt", " \n\n");
  fails(folder.path() / "blank.txt");
  std::string noise;
  for (uint32_t i = 0, state = 1; i < 5000; ++i, state = state * 1664525 + 1013904223) {
    noise += static_cast<char>('a' + (state >> 24) % 26);
  }
  const std::string packed = Gzip(folder.path() / "cut.gz", noise);
  Write(folder.path() / "cut.gz", packed.substr(0, packed.size() / 2));
  fails(folder.path() / "cut.gz");
  std::string bent = packed;
  bent[packed.size() / 2] ^= 0x55;
  Write(folder.path() / "bent.gz", bent);
  fails(folder.path() / "bent.gz");
}

TEST(SubwordTokenizerTest, DecodingUndoesEncodingWhateverTheLine) {
  const auto tokenizer = SubwordTokenizer::Train(SomeLines(), 440);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().ToString();
  EXPECT_EQ(tokenizer->size(), 440u);
  for (const std::string line : {"the old king sees the moon.", "", " two  spaces ",
                                 "unseen: \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8e\xb5", "tab\there", "<s> </s> <0x0A>"}) {
    const std::vector<uint16_t> ids = tokenizer->EncodeLine(line);
    EXPECT_EQ(tokenizer->Decode(ids), line + "\n");
  }
  EXPECT_LT(tokenizer->EncodeLine("the old king sees the moon.").size(), 15u);
}

TEST(SubwordTokenizerTest, TheSameLinesGiveTheSamePiecesAndTheirFileGivesThemBack) {
  const auto first = SubwordTokenizer::Train(SomeLines(), 450).value();
  const auto second = SubwordTokenizer::Train(SomeLines(), 450).value();
  EXPECT_EQ(first.Sha256(), second.Sha256());
  const auto loaded = SubwordTokenizer::Load(first.Files().at("sentencepiece.model"), "file");
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->EncodeLine("nobody sings"), first.EncodeLine("nobody sings"));
  EXPECT_FALSE(SubwordTokenizer::Load("no model", "file").ok());
}

TEST(SubwordTokenizerTest, TooManyPiecesForTheTextAreRefused) {
  const auto tokenizer = SubwordTokenizer::Train(SomeLines(), 16384);
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(tokenizer.error().ToString(), HasSubstr("use fewer pieces"));
  EXPECT_FALSE(SubwordTokenizer::Train(SomeLines(), 20).ok());
}

/// Byte-pair encoding as in tokenizer.json: of all neighbours with a merge, the earliest
/// first.
std::vector<uint16_t> EncodeByMerges(const nlohmann::json& tokenizer, std::string_view line) {
  const auto& model = tokenizer["model"];
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (const auto& merge : model["merges"]) {
    ranks.emplace(std::pair(merge[0].get<std::string>(), merge[1].get<std::string>()), ranks.size());
  }
  std::vector<std::string> parts;
  for (const char c : line) {  // ASCII alone
    parts.push_back(c == ' ' ? "\xe2\x96\x81" : std::string(1, c));
  }
  for (;;) {
    size_t best = SIZE_MAX, place = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto rank = ranks.find({parts[i], parts[i + 1]});
      if (rank != ranks.end() && rank->second < best) {
        best = rank->second;
        place = i;
      }
    }
    if (best == SIZE_MAX) {
      break;
    }
    parts[place] += parts[place + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  std::vector<uint16_t> ids;
  for (const std::string& part : parts) {
    ids.push_back(model["vocab"][part].get<uint16_t>());
  }
  return ids;
}

TEST(SubwordTokenizerTest, TokenizerJsonSplitsLinesAsSentencePieceDoes) {
  const auto tokenizer = SubwordTokenizer::Train(SomeLines(), 470).value();
  const auto json = nlohmann::json::parse(tokenizer.Files().at("tokenizer.json"));
  for (const std::string line :
       {"the old king waited for her brothers.", "mother remembers the green river", "so the ship"}) {
    std::vector<uint16_t> ids = tokenizer.EncodeLine(line);
    ids.pop_back();
    EXPECT_EQ(EncodeByMerges(json, line), ids) << line;
  }
}

TEST(NgramTest, ProbabilitiesOfAllNextIdsSumToOne) {
  const std::vector<std::vector<uint16_t>> sequences = {{0, 3, 1, 4, 1, 5, 2, 6, 5, 3, 5}, {0, 3, 1, 4, 2, 1}, {0, 5}};
  for (const size_t order : {1, 2, 3, 5}) {
    const NgramModel model(sequences, order, 8);
    for (const std::vector<uint16_t>& context :
         {std::vector<uint16_t>{0}, {0, 3, 1}, {4, 1, 5, 2}, {7, 7, 7}, {3, 1, 4}}) {
      double sum = 0;
      for (uint16_t id = 0; id < 8; ++id) {
        const double p = model.Probability(context, id);
        EXPECT_GT(p, 0.0);
        sum += p;
      }
      EXPECT_NEAR(sum, 1.0, 1e-12) << order;
    }
  }
}

TEST(NgramTest, ABigramIsWorkedOutByHand) {
  // Bigrams 0 1, 1 2, 2 1, 1 2, 2 3: counts 1 2: 2, others 1, so n1 = 3, n2 = 1 and D = 3/5.
  // Distinct left neighbours: 1: {0, 2}, 2: {1}, 3: {2}, and 1 at the beginning is 0's; n1 = 2, n2
  // = 1 and D = 1/2, of 4 in all.
  const std::vector<std::vector<uint16_t>> sequences = {{0, 1, 2, 1, 2, 3}};
  const NgramModel model(sequences, 2, 4);
  const double unigram = (1 - 0.5) / 4 + 0.5 * 3 / 4 / 4;  // of 2
  EXPECT_NEAR(model.Probability(std::vector<uint16_t>{1}, 2), (2 - 0.6) / 2 + 0.6 * 1 / 2 * unigram, 1e-12);
  EXPECT_NEAR(model.Probability(std::vector<uint16_t>{3}, 2), unigram, 1e-12);
}

TEST(NgramTest, LongerContextsPredictWhatRepeats) {
  std::vector<std::vector<uint16_t>> sequences(1, {0});
  for (int i = 0; i < 200; ++i) {
    sequences[0].push_back(static_cast<uint16_t>(1 + i % 7));
  }
  const NgramModel unigram(sequences, 1, 8);
  const NgramModel fivegram(sequences, 5, 8);
  EXPECT_NEAR(unigram.Nll(sequences[0]) / 200, std::log(7.0), 0.01);
  EXPECT_LT(fivegram.Nll(sequences[0]) / 200, 0.1);
}

}  // namespace
}  // namespace continuo
