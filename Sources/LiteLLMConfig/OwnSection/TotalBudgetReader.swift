import BudgetModel
import Documents
import TimeZones

/// Reads LiteLLM's limit on everything: `litellm_settings.max_budget` with `budget_duration`.
///
/// Windows are those of LiteLLM 1.106.2 (`get_next_standardized_reset_time`): an hour, a day, a week
/// from Monday and a month end as the calendar of `litellm_settings.timezone` has it, however their
/// length is written.
struct TotalBudgetReader {
  private static let section = "litellm_settings"
  private static let keys = ["max_budget", "budget_duration", "timezone", "budget_reset_time"]

  /// The durations that LiteLLM ends with the calendar.
  private static let units: [String: CalendarUnit] = [
    "1h": .hour, "60m": .hour, "hourly": .hour,
    "1d": .day, "24h": .day, "daily": .day,
    "7d": .week, "1w": .week, "weekly": .week,
    "30d": .month, "1mo": .month, "monthly": .month,
  ]

  var findings: Findings
  var calendars: CalendarTables

  init(findings: Findings, calendars: CalendarTables) {
    self.findings = findings
    self.calendars = calendars
  }

  /// A budget, and the line of its limit.
  struct Total {
    var budget: BudgetDefinition
    var line: Int
  }

  /// The budget of everything; nil where there is none, or where it is refused or not enforced.
  mutating func read(_ sections: DocumentMapping) -> Total? {
    guard let settings = sections[Self.section]?.mapping, let written = settings["max_budget"],
      !written.isNull
    else { return nil }
    findings.refuseRepetitions(of: Self.keys, in: settings, at: Self.section)
    let path = "\(Self.section).max_budget"
    guard let node = findings.settled(written, path: path), !isNothing(node) else { return nil }
    // The log says why where this gives nothing.
    guard let limit = try? BudgetTerms.limit(node, path: path, log: &findings.log) else {
      return nil
    }
    guard !(settings["budget_duration"]?.isNull ?? true) else {
      findings.warnings.add(
        written, path,
        "not enforced here: there is no budget_duration beside it, and LiteLLM does not start with "
          + "it where it has a database: give it one, such as 30d")
      return nil
    }
    guard let window = window(settings) else { return nil }
    let key = BudgetKey(scope: .total, name: BudgetKey.totalName, windowText: window.text)
    return Total(
      budget: BudgetDefinition(
        key: key, rule: window.rule, policy: BudgetPolicy(limit: limit), origin: .own),
      line: written.line)
  }

  /// Whether LiteLLM takes the limit for none: 0, less, and what is not finite.
  private mutating func isNothing(_ node: DocumentNode) -> Bool {
    guard let number = node.number ?? node.text.flatMap(PythonNumber.float) else {
      return node.isNull
    }
    guard !(number > 0 && number.isFinite) else { return false }
    if number < 0 {
      findings.warnings.add(
        node, "\(Self.section).max_budget",
        "not enforced here, nor by LiteLLM: it is below 0, which is no limit to both")
    }
    return true
  }

  private mutating func window(_ settings: DocumentMapping) -> OwnBudgetReader.OwnWindow? {
    let path = "\(Self.section).budget_duration"
    guard let node = findings.value(of: "budget_duration", in: settings, at: Self.section),
      let read = try? BudgetTerms.window(node, path: path, log: &findings.log)
    else { return nil }
    let plain = read.text.trimmingBlanks().lowercased()
    if let unit = Self.units[String(plain.drop { $0 == "0" })] {
      warnOfResetTime(settings, unit)
      guard let zone = zone(settings) else { return nil }
      return OwnBudgetReader.OwnWindow(
        text: unit.rawValue, rule: .calendar(calendars.windows(unit, in: zone)))
    }
    guard Self.isPlain(plain) else {
      // LiteLLM knows no unit of that spelling, and ends such a window at each midnight.
      findings.log.add(
        node, path,
        "\(DocumentProblem.quoted(read.text)) is misleading, LiteLLM would end it at each midnight: "
          + "write a number and one of s, m, h, d, w, mo (30d)")
      return nil
    }
    findings.warnings.add(
      node, path,
      "a window of \(DocumentProblem.plain(read.text)) begins with the first charge here, and in "
        + "LiteLLM at a full unit of its clock: both are the same for 1h, 1d, 7d and 30d")
    return OwnBudgetReader.OwnWindow(text: read.text, rule: .rolling(read.length))
  }

  /// Whether the text is a number and one of LiteLLM's units, nothing else.
  private static func isPlain(_ text: String) -> Bool {
    let unit = text.drop { ("0"..."9").contains($0) }
    return ["s", "m", "h", "d", "w", "mo"].contains(unit)
  }

  /// The zone of LiteLLM's windows. A name that it does not know is UTC to LiteLLM.
  private mutating func zone(_ settings: DocumentMapping) -> ZoneTable? {
    let path = "\(Self.section).timezone"
    guard let node = findings.value(of: "timezone", in: settings, at: Self.section),
      node.text != ""
    else { return .utc }
    guard let name = node.text else {
      findings.warnings.add(
        node, path,
        "this is \(node.words), so LiteLLM's windows are those of UTC: write Europe/Berlin")
      return .utc
    }
    do {
      return try calendars.zone(named: name)
    } catch {
      if case .unknown = error {
        findings.warnings.add(
          node, path,
          "LiteLLM takes UTC in the place of a zone that it does not know, and so does this: \(error)"
        )
        return .utc
      }
      findings.log.add(node, path, "\(error)")
      return nil
    }
  }

  private mutating func warnOfResetTime(_ settings: DocumentMapping, _ unit: CalendarUnit) {
    guard unit != .hour, let node = settings["budget_reset_time"], !node.isNull,
      !["", "00:00", "00:00:00"].contains(node.text)
    else { return }
    findings.warnings.add(
      node, "\(Self.section).budget_reset_time",
      "the windows of the limit on everything begin at midnight here, and at this time in LiteLLM")
  }
}
