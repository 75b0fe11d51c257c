import BudgetEngine
import BudgetModel
import BudgetWire
import Documents

extension ReloadConfigResponse {
  private static let mostChanges = 1_000
  private static let mostWarnings = 100

  /// The changes of a reload, a sentence each.
  init(_ report: ReloadReport, _ warnings: [DocumentProblem], _ files: FileReload) {
    self.init()
    let all =
      files.changes + report.added.map { "\($0) is new" } + report.removed.map { "\($0) is gone" }
      + report.relimited.map { "\($0) has another limit" }
      + report.remoded.map { "\($0) has another mode" }
      + report.recalendared.map { "\($0) has another time zone or first day" }
      + report.renamed.map { "\($0.from) is now per \($0.to.windowText), its window goes on" }
      + report.closed.map { "\($0.from) is now per \($0.to.windowText), its window was closed" }
    changes = Array(all.prefix(Self.mostChanges))
    changesOmitted = all.count - changes.count
    self.warnings = Array(
      (files.warnings + warnings.map { "\($0)" }).prefix(Self.mostWarnings))
  }
}
