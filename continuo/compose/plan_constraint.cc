#include "continuo/compose/plan_constraint.h"

#include <utility>

namespace continuo {
namespace {

constexpr std::array<TokenType, 3> kTypes = {TokenType::kRepeat, TokenType::kDensity, TokenType::kLoudness};

}  // namespace

PlanConstraint::PlanConstraint(const Vocabulary& vocabulary, std::vector<Wanted> bars, size_t first_bar)
    : vocabulary_(&vocabulary),
      bars_(std::make_shared<const std::vector<Wanted>>(std::move(bars))),
      first_bar_(static_cast<int64_t>(first_bar)) {}

Result<PlanConstraint> PlanConstraint::Create(const PiecePlan& plan, const Tokenizer& tokenizer, size_t first_bar,
                                              size_t bars) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  CONTINUO_ASSIGN(const std::vector<BarPlan> plans, PlanBars(plan, first_bar, bars));
  const std::array<bool, kKinds> asked = {!plan.form.empty(), !plan.density.empty(), !plan.loudness.empty()};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (asked[kind] && !vocabulary.has(kTypes[kind])) {
      return Error{fmt::format("the model's tokens ({}) have no {} to ask for", RepresentationName(tokenizer.config()),
                               PlanFields()[kind].name),
                   "form, density and loudness need a model of the tokenizer remiplan"};
    }
  }
  std::vector<Wanted> wanted;
  for (const BarPlan& bar : plans) {
    const auto id = [&](size_t kind, const std::optional<int>& value) {
      return value ? vocabulary.id(kTypes[kind], *value).value_or(kNoToken) : kNoToken;
    };
    wanted.push_back({id(0, bar.repeat), id(1, bar.density), id(2, bar.loudness)});
  }
  return PlanConstraint(vocabulary, std::move(wanted), first_bar);
}

void PlanConstraint::Restrict(std::span<uint8_t> allowed) const {
  if (bar_ < first_bar_ || bar_ - first_bar_ >= static_cast<int64_t>(bars_->size())) {
    return;
  }
  const Wanted& wanted = (*bars_)[static_cast<size_t>(bar_ - first_bar_)];
  for (size_t kind = next_; kind < kKinds; ++kind) {
    const TokenId due = wanted[kind];
    if (due == kNoToken || allowed[static_cast<size_t>(due)] == 0) {
      continue;
    }
    // Kinds before it are the model's choice.
    for (size_t id = 0; id < allowed.size(); ++id) {
      bool keep = static_cast<TokenId>(id) == due;
      for (size_t before = next_; before < kind; ++before) {
        keep = keep || vocabulary_->range(kTypes[before]).Contains(static_cast<TokenId>(id));
      }
      allowed[id] = keep ? allowed[id] : uint8_t{0};
    }
    return;
  }
}

void PlanConstraint::Advance(TokenId id) {
  switch (vocabulary_->info(id).type) {
    case TokenType::kBar:
      ++bar_;
      next_ = 0;
      break;
    case TokenType::kTimeSig:
      break;
    case TokenType::kRepeat:
      next_ = 1;
      break;
    case TokenType::kDensity:
      next_ = 2;
      break;
    default:
      next_ = kKinds;
      break;
  }
}

std::unique_ptr<TokenConstraint> PlanConstraint::Clone() const {
  return std::make_unique<PlanConstraint>(*this);
}

}  // namespace continuo
