import Documents

/// The problems and warnings of a document, for readers of its parts, with the variables that its
/// values may name.
struct Findings {
  let environment: EnvironmentReferences
  var log: ProblemLog
  var warnings: ProblemLog

  /// A value of a budget, from the environment where it says so. Nil where the variable is not set:
  /// LiteLLM would go on without limit or window.
  mutating func settled(_ node: DocumentNode, path: @autoclosure () -> String) -> DocumentNode? {
    var node = node
    if let text = node.text, let late = lateValue(of: text) {
      return DocumentNode(.string(late), line: node.line)
    }
    // A variable may refer to another one, as deep as LiteLLM looks.
    for _ in 0..<EnvironmentReferences.passes {
      var unset: [String] = []
      guard let text = node.text, let value = environment.value(of: text, unset: &unset) else {
        return node
      }
      guard unset.isEmpty else {
        log.add(
          node, path(),
          "the environment variable \(DocumentProblem.plain(unset[0])) is not set: set it, or write the "
            + "value")
        return nil
      }
      node = DocumentNode(value, line: node.line)
    }
    return node
  }

  /// The file's own variable that a reference means, where the process has none: LiteLLM would find
  /// nothing, since it sets them later.
  private func lateValue(of text: String) -> String? {
    var unset: [String] = []
    guard environment.value(of: text, unset: &unset) != nil, !unset.isEmpty else { return nil }
    return environment.lateValue(of: text)
  }

  /// The value of `key`, from the environment where it says so; nil where it is absent, null or
  /// refused.
  mutating func value(
    of key: String, in mapping: DocumentMapping, at path: String
  ) -> DocumentNode? {
    guard let written = mapping[key], !written.isNull,
      let node = settled(written, path: "\(path).\(key)"), !node.isNull
    else { return nil }
    return node
  }

  /// A setting that stands there twice with two values, of which the last one would count.
  mutating func refuseRepetitions(of keys: [String], in mapping: DocumentMapping, at path: String) {
    for repetition in mapping.repetitions {
      guard let text = repetition.key.text, keys.contains(text) else { continue }
      let place = path.isEmpty ? text : "\(path).\(text)"
      let again = "'\(text)' stands here a second time"
      if mapping[text] == repetition.value {
        warnings.add(repetition.key, place, "\(again), with the same value: take one of them out")
      } else {
        log.add(
          repetition.key, place, "\(again), and only the last one would count: join them")
      }
    }
  }
}

extension ConfigReader {
  /// Lets a reader of a part of the document write to this one's logs.
  mutating func withFindings<Result>(_ body: (inout Findings) -> Result) -> Result {
    var findings = Findings(environment: environment, log: log, warnings: warnings)
    defer {
      log = findings.log
      warnings = findings.warnings
    }
    return body(&findings)
  }

  /// `Findings.settled`.
  mutating func fromEnvironment(_ node: DocumentNode, path: @autoclosure () -> String)
    -> DocumentNode?
  {
    // Most values refer to nothing, and a file may have a million of them.
    guard node.text?.utf8.starts(with: EnvironmentReferences.prefix.utf8) ?? false else {
      return node
    }
    let path = path()
    return withFindings { $0.settled(node, path: path) }
  }

  /// `Findings.refuseRepetitions`.
  mutating func refuseRepetitions(of keys: [String], in mapping: DocumentMapping, at path: String) {
    guard !mapping.repetitions.isEmpty else { return }
    withFindings { $0.refuseRepetitions(of: keys, in: mapping, at: path) }
  }
}
