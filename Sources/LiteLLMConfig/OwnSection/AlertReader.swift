import BudgetModel
import Documents

/// Reads `alerts:` of the section `budgetd:`: when operators are told of budgets, and by which webhook.
///
/// No message shows a part of the webhook's address.
struct AlertReader {
  static let path = "budgetd.alerts"
  private static let example =
    "{webhook: {url: os.environ/ALERTS_URL, form: slack}}"

  var findings: Findings

  init(findings: Findings) { self.findings = findings }

  /// The settings; nil where there are none, or where they are refused.
  mutating func read(_ node: DocumentNode) -> AlertSettings? {
    guard let mapping = node.mapping else {
      findings.log.add(
        node, Self.path,
        // The value may be the webhook's address.
        "this is not a mapping: write one, such as \(Self.example)")
      return nil
    }
    OwnKeys.alerts.judge(mapping, at: Self.path, &findings)
    let found = findings.log.count
    let rules = rules(mapping)
    let name = name(mapping)
    guard let written = mapping["webhook"], !written.isNull else {
      findings.log.add(
        node, Self.path, "nothing says where alerts go: give it a webhook, such as \(Self.example)")
      return nil
    }
    guard let webhook = webhook(written), findings.log.count == found else { return nil }
    var settings = AlertSettings(webhook: webhook)
    (settings.rules, settings.name) = (rules, name)
    if rules.thresholds.isEmpty, rules.runsOutInMilliseconds == nil {
      findings.warnings.add(
        node, Self.path, "thresholds is empty and runs_out_in is null: nothing is ever told")
    }
    return settings
  }

  private mutating func name(_ mapping: DocumentMapping) -> String {
    guard let node = findings.value(of: "name", in: mapping, at: Self.path) else {
      return AlertSettings.standardName
    }
    let longest = AlertSettings.longestName
    guard let name = node.text, (1...longest).contains(name.utf8.count),
      NameBytes.with(name, { $0.isWellFormed })
    else {
      findings.log.add(
        node, "\(Self.path).name",
        "this is \(node.words): write the fleet's name as a text of 1 to \(longest) bytes without "
          + "control characters, such as production")
      return AlertSettings.standardName
    }
    return name
  }

  // MARK: - When

  private mutating func rules(_ mapping: DocumentMapping) -> AlertRules {
    var rules = AlertRules()
    if let node = findings.value(of: "thresholds", in: mapping, at: Self.path) {
      rules.thresholds = thresholds(node)
    }
    if let written = mapping["runs_out_in"] {
      rules.runsOutInMilliseconds =
        written.isNull
        ? nil
        : findings.value(of: "runs_out_in", in: mapping, at: Self.path).flatMap {
          time($0, "runs_out_in", within: AlertRules.runsOutRange, such: "1m to 90d")
        }
    }
    if let node = findings.value(of: "dynamic_per_hour", in: mapping, at: Self.path) {
      let range = AlertRules.dynamicRange
      if let number = whole(node), range.contains(number) {
        rules.dynamicPerHour = number
      } else {
        findings.log.add(
          node, "\(Self.path).dynamic_per_hour",
          "this is \(node.words): write how many alerts of budgets that names get from patterns a node "
            + "may send in an hour, \(range.lowerBound) to \(range.upperBound)")
      }
    }
    return rules
  }

  private mutating func thresholds(_ node: DocumentNode) -> [Int] {
    let path = "\(Self.path).thresholds"
    guard let nodes = node.sequence, nodes.count <= AlertRules.mostThresholds else {
      findings.log.add(
        node, path,
        "this is \(node.sequence.map { "a list of \($0.count)" } ?? node.words): write a list of at most "
          + "\(AlertRules.mostThresholds) parts of a limit in percent, such as [80, 95, 100]")
      return []
    }
    var found: Set<Int> = []
    for (index, node) in nodes.enumerated() {
      let range = AlertRules.thresholdRange
      guard let percent = whole(node), range.contains(percent) else {
        findings.log.add(
          node, "\(path)[\(index)]",
          "this is \(node.words): write a whole number of percent, \(range.lowerBound) to "
            + "\(range.upperBound)")
        continue
      }
      if !found.insert(percent).inserted {
        findings.warnings.add(
          node, "\(path)[\(index)]", "this stands here a second time: keep one")
      }
    }
    return found.sorted()
  }

  private func whole(_ node: DocumentNode) -> Int? {
    switch node.value {
    case .integer(let digits): Int(digits)
    // A variable's value is a text.
    case .string(let text): Int(text)
    default: nil
    }
  }

  private mutating func time(
    _ node: DocumentNode, _ key: String, within range: ClosedRange<Int64>, such bounds: String
  ) -> Int64? {
    let length = node.text.flatMap { try? WindowLength(text: $0) }
    if case .seconds(let seconds) = length, seconds < range.upperBound,
      range.contains(seconds * 1_000)
    {
      return seconds * 1_000
    }
    findings.log.add(
      node, "\(Self.path).\(key)",
      "this is \(node.words): write a time from \(bounds), as a number and one of s, m, h, d")
    return nil
  }

  // MARK: - Where to

  private mutating func webhook(_ node: DocumentNode) -> AlertWebhook? {
    let path = "\(Self.path).webhook"
    guard let mapping = node.mapping else {
      // The value itself may be the secret.
      findings.log.add(
        node, path, "this is not a mapping: write {url: os.environ/ALERTS_URL}, or url_file")
      return nil
    }
    OwnKeys.webhook.judge(mapping, at: path, &findings)
    guard let address = address(mapping, at: path, node) else { return nil }
    var webhook = AlertWebhook(address)
    if let node = findings.value(of: "form", in: mapping, at: path) {
      if let form = node.text.flatMap(AlertWebhook.Form.init(rawValue:)) {
        webhook.form = form
      } else {
        findings.log.add(
          node, "\(path).form", "this is \(node.words): write json (an object) or slack (a text)")
      }
    }
    if let node = findings.value(of: "timeout", in: mapping, at: path),
      let time = time(node, "webhook.timeout", within: AlertWebhook.timeoutRange, such: "1s to 30s")
    {
      webhook.timeoutMilliseconds = time
    }
    if let node = findings.value(of: "ca_file", in: mapping, at: path) {
      webhook.authorities = file(node, "\(path).ca_file")
    }
    return webhook
  }

  private mutating func address(
    _ mapping: DocumentMapping, at path: String, _ node: DocumentNode
  ) -> AlertWebhook.Address? {
    let url = mapping["url"].flatMap { $0.isNull ? nil : $0 }
    let file = findings.value(of: "url_file", in: mapping, at: path)
    switch (url, file) {
    case (nil, nil):
      findings.log.add(
        node, path,
        "this has neither url nor url_file: write url: os.environ/NAME, or url_file: "
          + "/run/secrets/NAME")
      return nil
    case (.some(let url), .some):
      findings.log.add(url, "\(path).url", "url_file stands beside it: keep one of them")
      return nil
    case (nil, .some(let file)): return self.file(file, "\(path).url_file").map { .file($0) }
    case (.some(let written), nil): return given(written, at: "\(path).url")
    }
  }

  private mutating func given(_ written: DocumentNode, at path: String) -> AlertWebhook.Address? {
    guard let node = findings.settled(written, path: path) else { return nil }
    guard let text = node.text else {
      findings.log.add(
        node, path, "this is not a text: write an address, such as https://host/path")
      return nil
    }
    findings.log.secrets.append(text)
    findings.warnings.secrets.append(text)
    do throws(WebhookURLError) {
      let url = try WebhookURL(text)
      if !url.isEncrypted {
        findings.warnings.add(
          node, path,
          "it begins with http://: budgets' names and the address itself go over the network in the "
            + "clear; write https://")
      }
      let prefix = EnvironmentReferences.prefix
      let variable = written.text.flatMap {
        $0.utf8.starts(with: prefix.utf8) ? String($0.dropFirst(prefix.count)) : nil
      }
      return .given(url, variable: variable)
    } catch {
      findings.log.add(node, path, "the address is not one: \(error)")
      return nil
    }
  }

  private mutating func file(_ node: DocumentNode, _ path: String) -> String? {
    guard let text = node.text, text.utf8.first == UInt8(ascii: "/") else {
      findings.log.add(
        // The value may be the address itself.
        node, path,
        "this is not the whole path of a file: write it from / on, such as /run/secrets/NAME")
      return nil
    }
    return text
  }
}
