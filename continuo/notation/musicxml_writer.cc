#include "continuo/notation/musicxml_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/midi/text.h"
#include "continuo/notation/musicxml_kinds.h"

namespace continuo {
namespace {

// Text for an element or an attribute in quotes.
std::string Escape(std::string_view text) {
  const std::string valid = ToUtf8({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  std::string result;
  for (const char c : valid) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\t':
      case '\n':
      case '\r':
        result += ' ';
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          result += c;
        }
    }
  }
  // U+FFFE and U+FFFF are no characters of XML.
  for (const char* forbidden : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"}) {
    for (size_t at = result.find(forbidden); at != std::string::npos; at = result.find(forbidden, at)) {
      result.erase(at, 3);
    }
  }
  return result;
}

// Elements with indentation.
class Xml {
 public:
  void Open(std::string_view tag, std::string_view attributes = {}) {
    Indent();
    fmt::format_to(std::back_inserter(text_), "<{}{}{}>\n", tag, attributes.empty() ? "" : " ", attributes);
    ++depth_;
  }
  void Close(std::string_view tag) {
    --depth_;
    Indent();
    fmt::format_to(std::back_inserter(text_), "</{}>\n", tag);
  }
  void Empty(std::string_view tag, std::string_view attributes = {}) {
    Indent();
    fmt::format_to(std::back_inserter(text_), "<{}{}{}/>\n", tag, attributes.empty() ? "" : " ", attributes);
  }
  /// `text` is escaped already.
  void Leaf(std::string_view tag, std::string_view text, std::string_view attributes = {}) {
    Indent();
    fmt::format_to(std::back_inserter(text_), "<{0}{1}{2}>{3}</{0}>\n", tag, attributes.empty() ? "" : " ", attributes,
                   text);
  }
  void Leaf(std::string_view tag, int64_t number) { Leaf(tag, fmt::to_string(number)); }
  void Raw(std::string_view text) { text_ += text; }
  std::string Take() { return std::move(text_); }

 private:
  void Indent() { text_.append(static_cast<size_t>(depth_), ' '); }
  std::string text_;
  int depth_ = 0;
};

constexpr std::array<std::string_view, 9> kTypes = {"breve", "whole", "half", "quarter", "eighth",
                                                    "16th",  "32nd",  "64th", "128th"};
std::string_view TypeOf(int log2) {
  return kTypes[static_cast<size_t>(log2 + 1)];
}

std::string_view AccidentalName(int alter) {
  constexpr std::array<std::string_view, 5> kNames = {"flat-flat", "flat", "natural", "sharp", "double-sharp"};
  return kNames[static_cast<size_t>(alter + 2)];
}

std::string_view BeamName(Beam beam) {
  constexpr std::array<std::string_view, 6> kNames = {"", "begin", "continue", "end", "forward hook", "backward hook"};
  return kNames[static_cast<size_t>(beam)];
}

// "93.33", "120".
std::string Decimal(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') {
    text.pop_back();
  }
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

class Writer {
 public:
  explicit Writer(const Sheet& sheet) : sheet_(sheet) {}

  std::string Write() {
    xml_.Raw(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
        "<!DOCTYPE score-partwise PUBLIC \"-//Recordare//DTD MusicXML 3.1 Partwise//EN\" "
        "\"http://www.musicxml.org/dtds/partwise.dtd\">\n");
    xml_.Open("score-partwise", "version=\"3.1\"");
    if (!sheet_.title.empty()) {
      xml_.Open("work");
      xml_.Leaf("work-title", Escape(sheet_.title));
      xml_.Close("work");
    }
    xml_.Open("identification");
    xml_.Open("encoding");
    xml_.Leaf("software", "Continuo");
    for (const char* element : {"accidental", "beam"}) {
      xml_.Empty("supports", fmt::format("element=\"{}\" type=\"yes\"", element));
    }
    xml_.Close("encoding");
    xml_.Close("identification");
    WritePartList();
    for (size_t p = 0; p < sheet_.parts.size(); ++p) {
      WritePart(p);
    }
    xml_.Close("score-partwise");
    return xml_.Take();
  }

 private:
  static std::string PartId(size_t part) { return fmt::format("P{}", part + 1); }
  static std::string InstrumentId(size_t part, int number) { return fmt::format("P{}-I{}", part + 1, number); }

  void WritePartList() {
    xml_.Open("part-list");
    int channel = 0;
    for (size_t p = 0; p < sheet_.parts.size(); ++p) {
      const SheetPart& part = sheet_.parts[p];
      xml_.Open("score-part", fmt::format("id=\"{}\"", PartId(p)));
      xml_.Leaf("part-name", Escape(part.name));
      // Channel 10 is that of drums; the sixteen are used again.
      channel = channel % 16 + 1;
      if (channel == 10 && !part.is_drum) {
        ++channel;
      }
      std::vector<int> instruments(part.drum_keys.begin(), part.drum_keys.end());
      if (!part.is_drum) {
        instruments = {1};
      }
      for (const int number : instruments) {
        xml_.Open("score-instrument", fmt::format("id=\"{}\"", InstrumentId(p, number)));
        xml_.Leaf("instrument-name", part.is_drum ? fmt::format("Drum {}", number) : Escape(part.name));
        xml_.Close("score-instrument");
      }
      for (const int number : instruments) {
        xml_.Open("midi-instrument", fmt::format("id=\"{}\"", InstrumentId(p, number)));
        xml_.Leaf("midi-channel", part.is_drum ? 10 : channel);
        xml_.Leaf("midi-program", part.program + 1);
        if (part.is_drum) {
          xml_.Leaf("midi-unpitched", number + 1);
        }
        xml_.Close("midi-instrument");
      }
      if (part.is_drum) {
        --channel;
      }
      xml_.Close("score-part");
    }
    xml_.Close("part-list");
  }

  void WritePart(size_t p) {
    const SheetPart& part = sheet_.parts[p];
    xml_.Open("part", fmt::format("id=\"{}\"", PartId(p)));
    size_t chord = 0;
    size_t tempo = 0;
    size_t dynamic = 0;
    for (size_t b = 0; b < sheet_.bars.size(); ++b) {
      const SheetBar& bar = sheet_.bars[b];
      const bool pickup = bar.number == 0;
      xml_.Open("measure", fmt::format("number=\"{}\"{}", bar.number, pickup ? " implicit=\"yes\"" : ""));
      WriteAttributes(part, bar, b == 0);

      // What stands above the first staff, in the order of time.
      std::vector<std::pair<Unit, std::string>> above;
      std::vector<const SheetTempo*> tempos_within_notes;
      if (p == 0) {
        const std::vector<Symbol>& symbols = part.bars[b].front().symbols;
        for (; tempo < sheet_.tempos.size() && sheet_.tempos[tempo].bar == b; ++tempo) {
          const SheetTempo& change = sheet_.tempos[tempo];
          if (std::any_of(symbols.begin(), symbols.end(), [&](const Symbol& s) { return s.from == change.at; })) {
            above.emplace_back(change.at, TempoElement(change));
          } else {
            tempos_within_notes.push_back(&change);
          }
        }
        for (; chord < sheet_.chords.size() && sheet_.chords[chord].bar == b; ++chord) {
          above.emplace_back(sheet_.chords[chord].at, ChordElement(sheet_.chords[chord]));
        }
      }
      while (dynamic < sheet_.dynamics.size() &&
             std::pair(sheet_.dynamics[dynamic].part, sheet_.dynamics[dynamic].bar) < std::pair(p, b)) {
        ++dynamic;
      }
      if (dynamic < sheet_.dynamics.size() && sheet_.dynamics[dynamic].part == p && sheet_.dynamics[dynamic].bar == b) {
        above.emplace_back(0, DynamicElement(sheet_.dynamics[dynamic]));
      }
      std::stable_sort(above.begin(), above.end(), [](const auto& x, const auto& y) { return x.first < y.first; });

      bool first = true;
      for (const SheetVoice& voice : part.bars[b]) {
        if (!first) {
          WriteMove("backup", bar.length);
        }
        size_t next = 0;
        for (const Symbol& symbol : voice.symbols) {
          // Each before the note that sounds then, with the rest of the way as an offset.
          for (; first && next < above.size() && above[next].first < symbol.from + symbol.length; ++next) {
            WriteAbove(above[next].second, above[next].first - symbol.from);
          }
          WriteSymbol(p, voice, symbol);
        }
        first = false;
      }
      // MuseScore 3 passes over the offset of a tempo, so these stand where they sound.
      for (const SheetTempo* change : tempos_within_notes) {
        WriteMove("backup", bar.length - change->at);
        WriteAbove(TempoElement(*change), 0);
        WriteMove("forward", bar.length - change->at);
      }
      if (b + 1 == sheet_.bars.size()) {
        xml_.Open("barline", "location=\"right\"");
        xml_.Leaf("bar-style", "light-heavy");
        xml_.Close("barline");
      }
      xml_.Close("measure");
    }
    xml_.Close("part");
  }

  void WriteAttributes(const SheetPart& part, const SheetBar& bar, bool first) {
    if (!first && !bar.signature && !bar.key_signature) {
      return;
    }
    xml_.Open("attributes");
    if (first) {
      xml_.Leaf("divisions", kUnitsPerQuarter);
    }
    if (bar.key_signature && !part.is_drum) {
      xml_.Open("key");
      xml_.Leaf("fifths", *bar.key_signature);
      xml_.Close("key");
    }
    if (bar.signature) {
      xml_.Open("time");
      xml_.Leaf("beats", bar.signature->numerator);
      xml_.Leaf("beat-type", bar.signature->denominator);
      xml_.Close("time");
    }
    if (first) {
      if (part.staves > 1) {
        xml_.Leaf("staves", part.staves);
      }
      for (uint8_t staff = 0; staff < part.staves; ++staff) {
        xml_.Open("clef", part.staves > 1 ? fmt::format("number=\"{}\"", staff + 1) : "");
        const char clef = part.clefs[staff];
        if (clef == 'P') {
          xml_.Leaf("sign", "percussion");
        } else {
          xml_.Leaf("sign", std::string_view(&clef, 1));
          xml_.Leaf("line", clef == 'G' ? 2 : 4);
        }
        xml_.Close("clef");
      }
      if (part.octaves_up != 0) {
        xml_.Open("transpose");
        xml_.Leaf("diatonic", 0);
        xml_.Leaf("chromatic", 0);
        xml_.Leaf("octave-change", -part.octaves_up);
        xml_.Close("transpose");
      }
    }
    xml_.Close("attributes");
  }

  void WriteMove(std::string_view element, Unit duration) {
    xml_.Open(element);
    xml_.Leaf("duration", duration);
    xml_.Close(element);
  }

  // The elements below are kept with a mark where the offset goes.
  static constexpr char kOffsetMark = '\x01';

  void WriteAbove(std::string_view element, Unit offset) {
    const size_t mark = element.find(kOffsetMark);
    CONTINUO_CHECK(mark != std::string_view::npos);
    xml_.Raw(element.substr(0, mark));
    if (offset != 0) {
      xml_.Raw(fmt::format("    <offset>{}</offset>\n", offset));
    }
    xml_.Raw(element.substr(mark + 1));
  }

  static std::string TempoElement(const SheetTempo& tempo) {
    const std::string qpm = Decimal(tempo.qpm);
    if (!tempo.shown) {
      // Words of one space: without them MuseScore prints the number.
      return fmt::format(
          "   <direction>\n    <direction-type>\n     <words>\u00A0</words>\n    </direction-type>\n{}"
          "    <sound tempo=\"{}\"/>\n   </direction>\n",
          kOffsetMark, qpm);
    }
    return fmt::format(
        "   <direction placement=\"above\">\n    <direction-type>\n     <metronome>\n"
        "      <beat-unit>quarter</beat-unit>\n      <per-minute>{0}</per-minute>\n"
        "     </metronome>\n    </direction-type>\n{1}    <sound tempo=\"{0}\"/>\n   </direction>\n",
        qpm, kOffsetMark);
  }

  static std::string ChordElement(const SheetChord& chord) {
    if (chord.chord.none()) {
      return fmt::format(
          "   <harmony>\n    <root>\n     <root-step text=\"\">C</root-step>\n    </root>\n"
          "    <kind text=\"N.C.\">none</kind>\n{}   </harmony>\n",
          kOffsetMark);
    }
    const std::string_view suffix = kChordQualities[chord.chord.quality].suffix;
    const int alter = AlterOf(chord.root);
    return fmt::format(
        "   <harmony>\n    <root>\n     <root-step>{}</root-step>\n{}    </root>\n    <kind{}>{}</kind>\n{}   "
        "</harmony>\n",
        StepOf(chord.root), alter == 0 ? "" : fmt::format("     <root-alter>{}</root-alter>\n", alter),
        suffix.empty() ? "" : fmt::format(" text=\"{}\"", suffix), kMusicXmlKinds[chord.chord.quality], kOffsetMark);
  }

  static std::string DynamicElement(const SheetDynamic& dynamic) {
    return fmt::format(
        "   <direction placement=\"below\">\n    <direction-type>\n     <dynamics>\n      <{}/>\n"
        "     </dynamics>\n    </direction-type>\n{}   </direction>\n",
        kDynamics[dynamic.level], kOffsetMark);
  }

  void WriteSymbol(size_t p, const SheetVoice& voice, const Symbol& symbol) {
    if (symbol.notes.empty()) {
      WriteNote(p, voice, symbol, nullptr, true);
      return;
    }
    for (size_t i = 0; i < symbol.notes.size(); ++i) {
      WriteNote(p, voice, symbol, &symbol.notes[i], i == 0);
    }
  }

  // `note` null: a rest. `first` of its chord.
  void WriteNote(size_t p, const SheetVoice& voice, const Symbol& symbol, const SheetNote* note, bool first) {
    const SheetPart& part = sheet_.parts[p];
    if (note == nullptr) {
      xml_.Open("note");
      xml_.Empty("rest", symbol.whole_bar ? "measure=\"yes\"" : "");
    } else {
      xml_.Open("note", fmt::format("dynamics=\"{}\"", Decimal(note->velocity * 100.0 / 90)));
      if (!first) {
        xml_.Empty("chord");
      }
      const std::string_view prefix = part.is_drum ? "display-" : "";
      const std::string_view element = part.is_drum ? "unpitched" : "pitch";
      xml_.Open(element);
      xml_.Leaf(fmt::format("{}step", prefix), std::string_view(&note->name.step, 1));
      if (note->name.alter != 0) {
        xml_.Leaf("alter", note->name.alter);
      }
      xml_.Leaf(fmt::format("{}octave", prefix), note->name.octave);
      xml_.Close(element);
    }
    xml_.Leaf("duration", symbol.length);
    if (note != nullptr && note->tied_from_before) {
      xml_.Empty("tie", "type=\"stop\"");
    }
    if (note != nullptr && note->tied_to_next) {
      xml_.Empty("tie", "type=\"start\"");
    }
    if (note != nullptr && part.is_drum) {
      xml_.Empty("instrument", fmt::format("id=\"{}\"", InstrumentId(p, note->key)));
    }
    xml_.Leaf("voice", voice.staff * 4 + voice.number + 1);
    if (!symbol.whole_bar) {
      xml_.Leaf("type", TypeOf(symbol.value.log2));
      for (uint8_t dot = 0; dot < symbol.value.dots; ++dot) {
        xml_.Empty("dot");
      }
    }
    if (note != nullptr && note->accidental) {
      xml_.Leaf("accidental", AccidentalName(*note->accidental));
    }
    if (symbol.tuplet.actual != 0) {
      xml_.Open("time-modification");
      xml_.Leaf("actual-notes", symbol.tuplet.actual);
      xml_.Leaf("normal-notes", symbol.tuplet.normal);
      xml_.Leaf("normal-type", TypeOf(symbol.tuplet.log2));
      xml_.Close("time-modification");
    }
    if (part.staves > 1) {
      xml_.Leaf("staff", voice.staff + 1);
    }
    if (first) {
      for (size_t level = 0; level < symbol.beams.size(); ++level) {
        if (symbol.beams[level] != Beam::kNone) {
          xml_.Leaf("beam", BeamName(symbol.beams[level]), fmt::format("number=\"{}\"", level + 1));
        }
      }
    }
    const bool tied = note != nullptr && (note->tied_from_before || note->tied_to_next);
    const bool bracket = first && (symbol.tuplet.begins || symbol.tuplet.ends);
    if (tied || bracket) {
      xml_.Open("notations");
      if (tied && note->tied_from_before) {
        xml_.Empty("tied", "type=\"stop\"");
      }
      if (tied && note->tied_to_next) {
        xml_.Empty("tied", "type=\"start\"");
      }
      if (bracket && symbol.tuplet.begins) {
        xml_.Empty("tuplet", "type=\"start\" bracket=\"yes\"");
      }
      if (bracket && symbol.tuplet.ends) {
        xml_.Empty("tuplet", "type=\"stop\"");
      }
      xml_.Close("notations");
    }
    xml_.Close("note");
  }

  const Sheet& sheet_;
  Xml xml_;
};

}  // namespace

std::string WriteMusicXml(const Sheet& sheet) {
  return Writer(sheet).Write();
}

Result<std::string> ScoreToMusicXml(const Score& score, const NotationOptions& options, std::string_view name) {
  CONTINUO_ASSIGN(const Sheet sheet, Engrave(score, options, name));
  return WriteMusicXml(sheet);
}

}  // namespace continuo
