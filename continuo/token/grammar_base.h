#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "continuo/token/grammar.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// Collects the allowed ids as a mask.
class MaskSink {
 public:
  explicit MaskSink(std::span<uint8_t> mask) : mask_(mask) { std::memset(mask.data(), 0, mask.size()); }
  void One(TokenId id) {
    if (id != kNoToken) {
      mask_[static_cast<size_t>(id)] = 1;
    }
  }
  void Range(const IdRange& range) {
    if (range.count > 0) {
      std::memset(mask_.data() + range.first, 1, static_cast<size_t>(range.count));
    }
  }

 private:
  std::span<uint8_t> mask_;
};

/// Asks for one id whether it is among the allowed.
class QuerySink {
 public:
  explicit QuerySink(TokenId id) : id_(id) {}
  void One(TokenId id) { found_ = found_ || id == id_; }
  void Range(const IdRange& range) { found_ = found_ || range.Contains(id_); }
  bool found() const { return found_ && id_ != kNoToken; }

 private:
  TokenId id_;
  bool found_ = false;
};

/// What a grammar keeps when it takes another's state, which is of the same tokenizer.
class TablesOfGrammar {
 protected:
  explicit TablesOfGrammar(const TokenTables& tables) : tables_(tables) {}
  TablesOfGrammar(const TablesOfGrammar&) = default;
  ~TablesOfGrammar() = default;
  TablesOfGrammar& operator=(const TablesOfGrammar& /*other*/) { return *this; }

  const TokenTables& tables_;
};

/// How a stream of any representation begins and ends.
class GrammarBase : public Grammar, protected TablesOfGrammar {
 public:
  bool complete() const override { return complete_; }

 protected:
  GrammarBase(const TokenTables& tables, const GrammarTarget& target)
      : TablesOfGrammar(tables),
        target_bars_(target.bars),
        eos_(tables.SpecialToken("EOS_None")),
        bos_(tables.SpecialToken("BOS_None")) {}
  GrammarBase(const GrammarBase&) = default;
  GrammarBase& operator=(const GrammarBase&) = default;

  bool has_target() const { return target_bars_ > 0; }

  size_t target_bars_;
  TokenId eos_;
  TokenId bos_;
  bool started_ = false;  // the first of a stream's tokens has come
  bool ended_ = false;    // EOS was written
  bool complete_ = false;
};

/// The functions of Grammar that follow from what `Derived` has, a GrammarBase through `Base`:
///
///     template <typename Sink> void Enumerate(Sink& sink) const;  // what may follow, before the end
///     void Take(TokenId id, const TokenInfo& info);               // a token that may follow, but EOS
///     void Refresh();                                             // after each token
template <typename Derived, typename Base>
class EnumeratedGrammar : public Base {
 public:
  std::unique_ptr<Grammar> Clone() const override { return std::make_unique<Derived>(derived()); }
  void CopyFrom(const Grammar& other) override { derived() = static_cast<const Derived&>(other); }

  void Allowed(std::span<uint8_t> allowed) const override {
    MaskSink sink(allowed);
    EnumerateAll(sink);
  }

  bool Advance(TokenId id) override {
    if (id == this->bos_ && id != kNoToken && !this->started_) {
      return true;
    }
    if (!MayFollow(id)) {
      return false;
    }
    if (id == this->eos_) {
      this->ended_ = true;
      this->complete_ = this->has_target();
      return true;
    }
    this->started_ = true;
    derived().Take(id, this->tables_.infos[static_cast<size_t>(id)]);
    derived().Refresh();
    return true;
  }

 protected:
  using Base::Base;

  bool MayFollow(TokenId id) const {
    QuerySink sink(id);
    EnumerateAll(sink);
    return sink.found();
  }

  Derived& derived() { return static_cast<Derived&>(*this); }
  const Derived& derived() const { return static_cast<const Derived&>(*this); }

 private:
  template <typename Sink>
  void EnumerateAll(Sink& sink) const {
    if (this->ended_ || this->complete_) {
      sink.One(this->eos_);
      return;
    }
    derived().Enumerate(sink);
  }
};

}  // namespace continuo
