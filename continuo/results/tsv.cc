#include "continuo/results/results.h"

namespace continuo {

Result<std::string> Results::ToTsv() const {
  const std::lock_guard lock(*mutex_);
  std::vector<std::string> metrics;
  CONTINUO_TRY(
      database_->ForEachRow("SELECT metric FROM set_metrics m JOIN sets s ON s.id = m.set_id "
                            "WHERE s.status = 'done' GROUP BY metric ORDER BY min(m.rowid)",
                            [&](const Statement& row) { metrics.push_back(row.Text(0)); }));
  std::string text = "kind\tmodel\ttokenizer\tepoch\tsetting\tprompt\tseed\tlabel\tpieces";
  for (const std::string& metric : metrics) {
    text += fmt::format("\t{0}\t{0}_std\t{0}_low\t{0}_high", metric);
  }
  text += "\n";
  CONTINUO_ASSIGN(Statement metric,
                  database_->Prepare("SELECT mean, std, low, high FROM set_metrics WHERE set_id = ? AND metric = ?"));
  CONTINUO_TRY(database_->ForEachRow(
      "SELECT s.id, s.kind, r.model, r.tokenizer, s.epoch, s.setting, s.prompt, s.seed, s.label, s.pieces "
      "FROM sets s LEFT JOIN runs r ON r.id = s.run WHERE s.status = 'done' ORDER BY s.kind = 'continuation', s.rowid",
      [&](const Statement& row) -> Status {
        for (int column = 1; column < 10; ++column) {
          text += fmt::format("{}{}", column > 1 ? "\t" : "", row.Text(column));
        }
        for (const std::string& name : metrics) {
          metric.Reset();
          CONTINUO_ASSIGN(const bool found, metric.Bind(0, row.Text(0)).Bind(1, name).Step());
          for (int column = 0; column < 4; ++column) {
            text += found && !metric.IsNull(column) ? fmt::format("\t{:.6g}", metric.Real(column)) : std::string("\t");
          }
        }
        text += "\n";
        return {};
      }));
  return text;
}

}  // namespace continuo
