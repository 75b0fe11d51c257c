import BudgetModel
import Documents

// Windows: a unit of the calendar in a time zone, or one of LiteLLM's durations.

extension OwnBudgetReader {
  /// A window as it is written, and what that means.
  struct OwnWindow {
    var text: String
    var rule: WindowRule
  }

  private static let units = "hour, day, week, month, quarter or year"
  private static let weekdays = [
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
  ]
  /// Words for units that their letters do not tell.
  private static let synonyms = [
    "annual": "year", "annually": "year", "yearly": "year", "quarterly": "quarter",
  ]

  /// The window of an entry; nil where it is refused.
  mutating func window(of entry: DocumentMapping, at place: Place) -> OwnWindow? {
    let path = "\(place.path).window"
    guard let written = entry["window"], !written.isNull else {
      findings.log.add(
        place.node, place.path,
        "this budget has no window: give it \(Self.units) (as the calendar has them), or a duration "
          + "from the first charge, such as 36h")
      return nil
    }
    guard let node = findings.settled(written, path: path) else { return nil }
    guard let text = node.text else {
      // Never a window: the log says why.
      _ = try? BudgetTerms.window(node, path: path, log: &findings.log)
      if node.isNull { findings.log.add(node, path, "this is null: write a window, such as month") }
      return nil
    }
    if let unit = CalendarUnit(rawValue: text) { return calendar(unit, entry, at: place) }
    guard let length = length(text, node, path: path) else { return nil }
    for key in ["begins_on", "time_zone"] where !(entry[key]?.isNull ?? true) {
      findings.log.add(
        entry[key] ?? node, "\(place.path).\(key)",
        "a window of \(DocumentProblem.plain(text)) begins with the first charge and has none: take it "
          + "out, or write \(Self.units)")
    }
    return OwnWindow(text: text, rule: .rolling(length))
  }

  private mutating func calendar(
    _ unit: CalendarUnit, _ entry: DocumentMapping, at place: Place
  ) -> OwnWindow? {
    let firstDay = firstDay(of: entry, unit, at: place)
    var zone: ZoneTable? = zone
    if let node = findings.value(of: "time_zone", in: entry, at: place.path) {
      zone = self.zone(node, path: "\(place.path).time_zone")
    }
    guard let firstDay, let zone else { return nil }
    return OwnWindow(
      text: unit.rawValue, rule: .calendar(calendars.windows(unit, in: zone, firstDay: firstDay)))
  }

  /// The zone that `node` names.
  mutating func zone(_ node: DocumentNode, path: String) -> ZoneTable? {
    guard let name = node.text else {
      findings.log.add(
        node, path,
        "the time zone is \(node.words): write the name that the IANA has for it, such as "
          + "Europe/Berlin")
      return nil
    }
    do {
      return try calendars.zone(named: name)
    } catch {
      findings.log.add(node, path, "\(error)")
      return nil
    }
  }

  /// The day that begins a window; nil where it is refused.
  private mutating func firstDay(
    of entry: DocumentMapping, _ unit: CalendarUnit, at place: Place
  ) -> Int? {
    let path = "\(place.path).begins_on"
    guard let node = findings.value(of: "begins_on", in: entry, at: place.path) else {
      return (entry["begins_on"]?.isNull ?? true) ? 1 : nil
    }
    switch unit {
    case .hour, .day:
      findings.log.add(
        node, path,
        "no window of \(unit) has it: it goes with week (a weekday), month, quarter and year (a day, 1 "
          + "to 28)")
      return nil
    case .week: return weekday(node, path: path)
    case .month, .quarter, .year:
      let digits: String? = if case .integer(let digits) = node.value { digits } else { node.text }
      guard let day = digits.flatMap({ Int($0) }), (1...28).contains(day) else {
        findings.log.add(
          node, path, "this is \(node.words): write a day that every month has, 1 to 28")
        return nil
      }
      return day
    }
  }

  private mutating func weekday(_ node: DocumentNode, path: String) -> Int? {
    let word = node.text?.lowercased() ?? ""
    if let index = Self.weekdays.firstIndex(of: word) { return index + 1 }
    let meant =
      word.count < 2
      ? nil
      : Self.weekdays.first { $0.hasPrefix(word) }
        ?? Spelling.nearest(to: word, among: Self.weekdays)
    findings.log.add(
      node, path,
      "this is \(node.words): "
        + (meant.map { "did you mean \($0)?" } ?? "write a day of the week, such as monday"))
    return nil
  }

  /// One of LiteLLM's durations.
  private mutating func length(_ text: String, _ node: DocumentNode, path: String) -> WindowLength?
  {
    let forms = "write \(Self.units), or a number and one of s, m, h, d, w, mo (36h)"
    let quoted = DocumentProblem.quoted(text)
    let message: String
    if text.utf8.count > NameBytes.maximumLength {
      message = "the window's text has \(text.utf8.count) bytes: write a short one, such as month"
    } else if !NameBytes.with(text, { $0.isWellFormed }) {
      message = "the window's text has a control character: leave it out"
    } else {
      do throws(WindowLengthError) {
        let length = try WindowLength(text: text)
        if text.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false { return length }
        message =
          "\(quoted) is LiteLLM's word for a length, and is not used here: write \(Self.unit(text)), "
          + "as the calendar has it, or \(Self.duration(length)), from the first charge"
      } catch {
        let plain = text.lowercased()
        let units = CalendarUnit.allCases.map(\.rawValue)
        let meant = Self.synonyms[plain] ?? Spelling.nearest(to: plain, among: units)
        message =
          switch error {
          case _ where meant != nil: "\(quoted) is not a window: did you mean \(meant ?? "")?"
          case .notANumber: "\(quoted) is not a window: \(forms)"
          case .unknownUnit: "\(quoted) has no known unit: \(forms)"
          case .misleading(_, let readAs):
            "\(quoted) is misleading, LiteLLM would read it as \(readAs): \(forms)"
          case .zero: "\(quoted) is a window of no length, nothing would be enforced: \(forms)"
          }
      }
    }
    findings.log.add(node, path, message)
    return nil
  }

  /// The unit that comes nearest to one of LiteLLM's words.
  private static func unit(_ word: String) -> String {
    switch word.trimmingBlanks().lowercased().first {
    case "h": "hour"
    case "d": "day"
    case "w": "week"
    default: "month"
    }
  }

  /// The duration that is as long as one of LiteLLM's words.
  private static func duration(_ length: WindowLength) -> String {
    guard case .seconds(let seconds) = length else { return "30d" }
    return seconds < 86_400 ? "\(seconds / 3_600)h" : "\(seconds / 86_400)d"
  }
}
