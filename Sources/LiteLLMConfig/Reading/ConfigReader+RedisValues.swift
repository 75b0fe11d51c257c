import Documents

// The single values of Redis settings, each refused where it stands.

extension ConfigReader {
  /// The namespace; nil where there is none, or a bad one.
  mutating func namespace(_ parameters: RedisParameters) -> String? {
    guard let value = parameters["namespace"], let text = text("namespace", of: parameters) else {
      return nil
    }
    guard let complaint = NameRule.complaint(text) else { return text }
    redisProblem(value, "of the namespace \(complaint)")
    return nil
  }

  /// A text; nil where it is absent, empty, or refused.
  mutating func text(_ name: String, of parameters: RedisParameters) -> String? {
    guard let value = parameters[name], !isUnsetPassword(name, value),
      let node = fromEnvironment(value)
    else { return nil }
    if let text = node.text { return text.isEmpty ? nil : text }
    // A password's own value is never repeated.
    let words = name == "password" ? "not a text" : node.words
    redisProblem(value, "the \(name) is \(words): quote it")
    return nil
  }

  /// LiteLLM goes on without a password, or a user, that is not set; Redis says if it wants one.
  private mutating func isUnsetPassword(_ name: String, _ value: RedisParameters.Value) -> Bool {
    guard name == "password" || name == "username", let text = value.node.text,
      let variable = environment.unsetName(text), environment.lateValue(of: text) == nil
    else { return false }
    warnings.add(
      value.node, value.path,
      "the environment variable \(DocumentProblem.plain(variable)) is not set, so no \(name) is sent, as "
        + "in LiteLLM: set it, or take this out")
    return true
  }

  mutating func number(
    _ name: String, of parameters: RedisParameters, _ range: ClosedRange<Int>
  ) -> Int? {
    guard let value = parameters[name], let node = fromEnvironment(value) else { return nil }
    guard let digits = node.digits, let number = Int(digits), range.contains(number) else {
      redisProblem(
        value,
        "the \(name) is \(node.words): write a number from \(range.lowerBound) to "
          + "\(range.upperBound)")
      return nil
    }
    return number
  }

  /// The values of those names that are there, with their references replaced.
  mutating func values(_ names: [String], of parameters: RedisParameters) -> [String: DocumentNode]
  {
    var values: [String: DocumentNode] = [:]
    for name in names { values[name] = parameters[name].flatMap { fromEnvironment($0) } }
    return values
  }

  mutating func isTrue(_ value: RedisParameters.Value) -> Bool {
    fromEnvironment(value)?.isOn ?? false
  }

  /// The value with its references replaced; adds a problem where a variable is not set.
  mutating func fromEnvironment(_ value: RedisParameters.Value) -> DocumentNode? {
    let found = log.count
    let node = fromEnvironment(value.node, path: value.path)
    guard node == nil, log.count > found else { return node }
    log.rewordLast { $0 + ", \(Self.wayOut)" }
    return nil
  }
}
