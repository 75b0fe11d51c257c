import BudgetModel
import Documents

// Budgets of providers and tags: a name, a limit, a window.

extension ConfigReader {
  private static let limitKeys = ["budget_limit", "max_budget"]
  private static let windowKeys = ["time_period", "budget_duration"]
  /// Keys of LiteLLM's that have nothing to do with spend.
  private static let otherKeys = ["tpm_limit", "rpm_limit"]

  /// Words that people write for a limit or a window.
  private static let synonyms: [String: String] = [
    "limit": "budget_limit", "budget": "budget_limit", "amount": "budget_limit",
    "max": "budget_limit", "cap": "budget_limit", "maximum": "budget_limit",
    "max_limit": "budget_limit", "limit_usd": "budget_limit", "usd": "budget_limit",
    "max_spend": "budget_limit", "spend_limit": "budget_limit",
    "period": "time_period", "duration": "time_period", "window": "time_period",
    "time": "time_period", "interval": "time_period", "budget_period": "time_period",
    "time_window": "time_period", "limit_period": "time_period", "reset": "time_period",
    "budget_window": "time_period", "time_duration": "time_period",
  ]

  /// Reads all budgets of one scope; a bad one does not hide the others' problems.
  mutating func readNamedBudgets(_ mapping: DocumentMapping, scope: BudgetScope, path: String) {
    for repetition in mapping.repetitions {
      let place = "\(path).\(repetition.key.pathSegment)"
      if let name = repetition.key.text, mapping[name] == repetition.value {
        warnings.add(
          repetition.key, place, "this \(scope) has the same budget a second time: keep one")
      } else {
        log.add(
          repetition.key, place,
          "this \(scope) has a second budget, and only the last one would count: keep one")
      }
    }
    for entry in mapping.entries {
      let place = "\(path).\(entry.key.pathSegment)"
      let complaint = NameRule.complaint(key: entry.key)
      if let complaint { log.add(entry.key, place, complaint) }
      guard let terms = terms(of: entry, path: place), complaint == nil,
        let name = entry.key.text
      else { continue }
      warnOfNothing(terms, entry.key, path: place)
      let definition = BudgetDefinition(
        key: BudgetKey(scope: scope, name: name, windowText: terms.windowText),
        windowLength: terms.windowLength, limit: terms.limit)
      if scope == .provider {
        providerBudgets.append(definition)
        providerNames.append(WrittenName(text: name, line: entry.key.line, path: place))
      } else {
        tagBudgets.append(definition)
      }
      own.compare(definition, line: entry.key.line, log: &log)
    }
  }

  private mutating func terms(of entry: DocumentMapping.Entry, path: String) -> BudgetTerms? {
    guard let mapping = entry.value.mapping else {
      log.add(
        entry.value.isNull ? entry.key : entry.value, path,
        "this budget is \(entry.value.words): give it a budget_limit and a time_period")
      return nil
    }
    let found = log.count
    refuseRepetitions(of: Self.limitKeys + Self.windowKeys, in: mapping, at: path)
    refuseMisspellings(in: mapping, at: path)
    let limit = oneOf(Self.limitKeys, in: mapping, at: path) { node, path, log throws(Refused) in
      try BudgetTerms.limit(node, path: path, log: &log)
    }
    let window = oneOf(Self.windowKeys, in: mapping, at: path) { node, path, log throws(Refused) in
      try BudgetTerms.window(node, path: path, log: &log).map(Window.init)
    }
    guard log.count == found else { return nil }
    if let stranger = strangerWithoutLimit(mapping) {
      log.add(
        stranger, "\(path).\(stranger.pathSegment)",
        "unknown key \(DocumentProblem.quoted(stranger.text ?? "")), and no limit"
          + (window == nil ? " and no window" : "")
          + ": did you mean budget_limit? A budget is such as {budget_limit: 100, time_period: 30d}"
      )
      return nil
    }
    guard let window else {
      log.add(
        entry.key, path,
        limit == nil
          ? "this budget has no limit and no window: give it a budget_limit, and a time_period, "
            + "such as {budget_limit: 100, time_period: 30d}"
          : "this budget has a limit but no window, so LiteLLM would never enforce it: give it a "
            + "time_period, such as 30d")
      return nil
    }
    warnOfReleases(
      mapping, keys: Self.limitKeys + Self.windowKeys, line: entry.key.line, path: path)
    return BudgetTerms(limit: limit, windowText: window.text, windowLength: window.length)
  }

  /// A key that may have been meant to be the limit, in a budget that names none.
  private func strangerWithoutLimit(_ mapping: DocumentMapping) -> DocumentNode? {
    guard !Self.limitKeys.contains(where: { mapping[$0] != nil }) else { return nil }
    let known = Self.windowKeys + Self.otherKeys
    return mapping.entries.first { entry in
      entry.key.text.map { !known.contains($0) } ?? false && !entry.value.isNull
    }?.key
  }

  /// A limit of 0 is often meant to be none.
  mutating func warnOfNothing(_ terms: BudgetTerms, _ node: DocumentNode, path: String) {
    guard terms.limit == .zero else { return }
    warnings.add(
      node, path, "the limit is 0: nothing may be spent; no limit is written null")
  }

  /// Values that PyYAML's releases read otherwise.
  mutating func warnOfReleases(
    _ mapping: DocumentMapping, keys: [String], line: Int, path: String
  ) {
    let differing = (mapping.dependence?.keys ?? []).compactMap(\.text).filter(keys.contains)
    guard let key = differing.first else { return }
    warnings.add(
      line: line, "\(path).\(key)",
      "several mappings are merged here, and from PyYAML 6.0.4 on the last one's value counts, not "
        + "the first one's, which counts here: write the value itself")
  }

  private struct Window: Equatable {
    var text: String
    var length: WindowLength

    init(_ window: (text: String, length: WindowLength)) {
      text = window.text
      length = window.length
    }
  }

  /// The value under one of two spellings, which have to agree where both are there.
  private mutating func oneOf<Value: Equatable>(
    _ keys: [String], in mapping: DocumentMapping, at path: String,
    read: (DocumentNode, String, inout ProblemLog) throws(Refused) -> Value?
  ) -> Value? {
    var first: (key: String, value: Value?)?
    for key in keys {
      guard let written = mapping[key] else { continue }
      let place = "\(path).\(key)"
      guard let node = fromEnvironment(written, path: place) else { continue }
      let value: Value?
      do throws(Refused) {
        value = try read(node, place, &log)
      } catch {
        continue
      }
      if let first, first.value != value {
        log.add(
          written, place,
          "\(first.key) and \(key) are two spellings of one thing and differ here: keep one")
      } else if first == nil {
        first = (key, value)
      }
    }
    return first?.value
  }

  private mutating func refuseMisspellings(in mapping: DocumentMapping, at path: String) {
    let known = Self.limitKeys + Self.windowKeys
    for entry in mapping.entries {
      guard let key = entry.key.text, !known.contains(key), !Self.otherKeys.contains(key) else {
        continue
      }
      let plain = key.lowercased().replacing("-", with: "_")
      guard let meant = Self.synonyms[plain] ?? Spelling.nearest(to: key, among: known) else {
        continue
      }
      log.add(
        entry.key, "\(path).\(entry.key.pathSegment)",
        "unknown spelling \(DocumentProblem.quoted(key)): did you mean \(meant)?")
    }
  }
}
