/// Finds what a requested model name stands for, as LiteLLM's router does.
///
/// In this order: an id, where no model group has that name; the alias, looked up once; the model
/// group of that name; the most specific model group with `*` that matches the name, else one that
/// matches `provider/name`; the deployments whose own model has that name. Names are compared by their
/// bytes. Immutable. Cost of a look-up: one or two hashes, and a walk over the groups with `*` where
/// no group has the name.
public struct ModelGroups: Sendable {
  private let aliases: [ExactText: String]
  private let patterns: [Pattern]
  private let directory: ProviderDirectory

  /// The meaning of a requested name.
  public enum Meaning: Hashable, Sendable {
    /// All deployments of a model group.
    case group(String)
    /// The deployment of an id.
    case deployment(id: String)
    /// All deployments whose own model (`litellm_params.model`) this is, of whatever group.
    case model(String)
  }

  /// The groups of a model list, in its order, and the aliases beside it.
  public init(
    groups: some Sequence<String>, aliases: [String: String], directory: ProviderDirectory
  ) {
    self.aliases = Dictionary(
      aliases.map { (ExactText($0.key), $0.value) }, uniquingKeysWith: { $1 })
    var seen: Set<ExactText> = []
    var wild: [Pattern] = []
    for name in groups where name.utf8.contains(UInt8(ascii: "*")) {
      if seen.insert(ExactText(name)).inserted { wild.append(Pattern(name)) }
    }
    patterns = Pattern.sorted(wild)
    self.directory = directory
  }

  /// Whether there is any alias.
  public var hasAliases: Bool { !aliases.isEmpty }

  /// The public name that model budgets count: the requested one, or what it is an alias of.
  public func publicName(of requested: String) -> String {
    aliases[ExactText(requested)] ?? requested
  }

  /// The meaning of the name; nil where LiteLLM finds no deployment for it.
  public func meaning(of requested: String, in list: some ModelNames) -> Meaning? {
    if !list.hasGroup(requested), list.hasDeployment(id: requested) {
      return .deployment(id: requested)
    }
    let name = publicName(of: requested)
    if list.hasGroup(name) { return .group(name) }
    if let pattern = pattern(matching: name) { return .group(pattern.name) }
    return list.hasModel(name) ? .model(name) : nil
  }

  private func pattern(matching name: String) -> Pattern? {
    guard !patterns.isEmpty else { return nil }
    let bytes = Array(name.utf8)
    if let pattern = patterns.first(where: { $0.matches(bytes) }) { return pattern }
    // To LiteLLM a name without a provider has one that is called so.
    let provider =
      NameBytes.with(name) { directory.publishedProvider(ofModel: $0) }
      .map { directory.names[Int($0)] } ?? "None"
    let whole = Array("\(provider)/".utf8) + bytes
    return patterns.first { $0.matches(whole) }
  }
}

/// The names that a model list has.
public protocol ModelNames {
  /// Whether a model group has the name.
  func hasGroup(_ name: String) -> Bool
  /// Whether a deployment has the id.
  func hasDeployment(id: String) -> Bool
  /// Whether a deployment's own model (`litellm_params.model`) is this.
  func hasModel(_ model: String) -> Bool
}

extension ModelGroups {
  /// The name of a model group that has a `*`.
  private struct Pattern: Sendable {
    let name: String
    /// The texts between the stars.
    private let parts: [[UInt8]]
    /// How LiteLLM ranks it: the length of its regular expression, then how much of it is special.
    private let rank: (length: Int, specials: Int)

    init(_ name: String) {
      self.name = name
      parts = name.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        .map(Array.init)
      var rank = (length: 0, specials: 0)
      for scalar in name.unicodeScalars {
        if scalar == "*" {
          // (.*)
          rank.length += 4
          rank.specials += 3
        } else if Self.escaped.contains(scalar) {
          rank.length += 2
          rank.specials += Self.special.contains(scalar) ? 2 : 1
        } else {
          rank.length += 1
        }
      }
      self.rank = rank
    }

    /// The characters that Python's `re.escape` puts a backslash before.
    private static let escaped = Set("()[]{}?*+-|^$\\.&~# \t\n\r\u{0B}\u{0C}".unicodeScalars)
    /// The characters that LiteLLM counts.
    private static let special = Set("*+?\\^$|()".unicodeScalars)

    /// The most specific first; of equals the one that comes first in the file.
    static func sorted(_ patterns: [Pattern]) -> [Pattern] {
      patterns.enumerated().sorted {
        ($1.element.rank.length, $1.element.rank.specials, $0.offset)
          < ($0.element.rank.length, $0.element.rank.specials, $1.offset)
      }.map(\.element)
    }

    /// Whether the name begins as the pattern says. LiteLLM's match is not bound to the name's end:
    /// `a*z` matches `a-z-more` too.
    func matches(_ name: [UInt8]) -> Bool {
      guard let first = parts.first, name.starts(with: first) else { return false }
      var rest = name[first.count...]
      for part in parts.dropFirst() {
        guard let end = Self.end(of: part, in: rest) else { return false }
        rest = rest[end...]
      }
      return true
    }

    /// The index behind the first occurrence.
    private static func end(of part: [UInt8], in name: ArraySlice<UInt8>) -> Int? {
      var start = name.startIndex
      while start + part.count <= name.endIndex {
        if name[start...].starts(with: part) { return start + part.count }
        start += 1
      }
      return nil
    }
  }
}
