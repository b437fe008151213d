#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "continuo/token/grammar.h"
#include "continuo/token/id_trie.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// A rule for which tokens may come next in one piece. It sees every token of the piece, the
/// prompt's first. An object follows one piece, from one thread; the generator clones a constraint
/// for each piece.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  /// Sets allowed[id] to 0 for each id that must not come next, and sets none to 1. `allowed` has
  /// the vocabulary's size, and at least one id is allowed. If the constraint leaves none, the
  /// generator ignores it for this token.
  virtual void Restrict(std::span<uint8_t> allowed) const = 0;

  /// Moves on by one token, which need not be one that Restrict left: see there.
  virtual void Advance(TokenId id) = 0;

  /// Bar `bar`, counted from 0, begins after the tokens so far. Called for every bar that is
  /// generated, also for the one that the piece or the end of its prompt opens; not for the bars of
  /// the prompt. Does nothing by default.
  virtual void BeginBar(size_t bar);

  /// A constraint in the same state.
  virtual std::unique_ptr<TokenConstraint> Clone() const = 0;

  /// Takes the state of `other`, a constraint of the same class and settings, or returns false:
  /// then Clone is used. Cheaper than Clone where the class can; see CopyState.
  virtual bool CopyFrom(const TokenConstraint& other);

  /// Of a vocabulary whose ids stand for several tokens each: sets allowed[id] to 0 for each id on
  /// whose tokens Restrict would forbid one, had it been asked before each of them, and sets none
  /// to
  /// 1. False if that is not known at a glance; then Restrict and Advance are called along the
  /// tokens of the ids.
  virtual bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const;
};

/// TokenConstraint::CopyFrom of a class that can be assigned.
template <typename Constraint>
bool CopyState(Constraint& to, const TokenConstraint& from) {
  to = static_cast<const Constraint&>(from);
  return true;
}

/// Allows what the tokenizer's grammar allows.
class GrammarConstraint final : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::unique_ptr<Grammar> grammar) : grammar_(std::move(grammar)) {}

  void Restrict(std::span<uint8_t> allowed) const override;
  /// `id` is one that the grammar allows.
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;

  /// Advance for a token that need not be allowed: false, and no change, if it is not.
  bool TryAdvance(TokenId id) { return grammar_->Advance(id); }
  /// See Grammar.
  bool SetTarget(const GrammarTarget& target) { return grammar_->SetTarget(target); }
  bool complete() const { return grammar_->complete(); }
  size_t bars() const { return grammar_->bars(); }
  std::unique_ptr<Grammar> CloneGrammar() const { return grammar_->Clone(); }
  const Grammar& grammar() const { return *grammar_; }
  bool CopyFrom(const TokenConstraint& other) override;

 private:
  std::unique_ptr<Grammar> grammar_;
};

/// The constraints of one piece: a grammar, which always holds, then others in the order of their
/// priority. One that would forbid every token that those before it allow is ignored for that
/// token.
class ConstraintList {
 public:
  explicit ConstraintList(std::unique_ptr<Grammar> grammar) : grammar_(std::move(grammar)) {}
  /// A copy has clones of the constraints.
  ConstraintList(const ConstraintList& other);
  ConstraintList(ConstraintList&& other) = default;
  ConstraintList& operator=(const ConstraintList& other);
  ConstraintList& operator=(ConstraintList&& other) = default;
  ~ConstraintList() = default;

  /// Adds a clone of `constraint` after the others.
  void Add(const TokenConstraint& constraint) { others_.push_back(constraint.Clone()); }

  /// Sets allowed[id] to 1 for ids that may come next and to 0 for the others; at least one is 1.
  void Restrict(std::span<uint8_t> allowed);
  /// Moves all constraints on. False, and no change, if the grammar does not allow `id`.
  bool Advance(TokenId id);
  void BeginBar(size_t bar);
  /// Moves on by a token that may come, and begins the bar that it leads to, as Generate does.
  void Take(TokenId id);
  /// Takes the state of `other`, which has the same constraints.
  void CopyFrom(const ConstraintList& other);

  /// See TokenConstraint::RestrictIds. False as well if a constraint, the grammar apart, leaves
  /// none of the ids. `allowed` is what the grammar leaves.
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const;
  const Grammar& grammar() const { return grammar_.grammar(); }

  /// See Grammar.
  bool SetTarget(const GrammarTarget& target) { return grammar_.SetTarget(target); }
  bool complete() const { return grammar_.complete(); }
  size_t bars() const { return grammar_.bars(); }

 private:
  GrammarConstraint grammar_;
  std::vector<std::unique_ptr<TokenConstraint>> others_;
  std::vector<uint8_t> before_;  // scratch
};

}  // namespace continuo
