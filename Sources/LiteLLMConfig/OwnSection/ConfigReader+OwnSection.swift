import BudgetModel
import Documents

// The section `budgetd:`, the limit on everything, aliases: what stands beside LiteLLM's budgets.

extension ConfigReader {
  /// Reads aliases first, which budgets of models are compared with, then the section.
  mutating func readOwnSection(_ sections: DocumentMapping) {
    aliases = withFindings { ModelAliases.read(sections, &$0) }
    guard let node = section(sections, OwnBudgetReader.section, path: OwnBudgetReader.section)
    else { return }
    let (aliases, calendars) = (aliases.groups, calendars)
    own = withFindings { findings in
      var reader = OwnBudgetReader(aliases: aliases, findings: findings, calendars: calendars)
      reader.read(node)
      findings = reader.findings
      return reader.own
    }
  }

  /// LiteLLM's limit on everything, where it is enforced here.
  mutating func readTotal(_ sections: DocumentMapping) -> BudgetDefinition? {
    let calendars = calendars
    guard
      let total = withFindings({ findings in
        var reader = TotalBudgetReader(findings: findings, calendars: calendars)
        let total = reader.read(sections)
        findings = reader.findings
        return total
      })
    else { return nil }
    own.compare(total.budget, line: total.line, log: &log)
    return total.budget
  }
}
