/// A change that an operator made while the node runs: state that every node keeps, not an event.
///
/// Of several changes of the same thing the latest version holds, on every node, in whatever order
/// they are heard of.
public struct BudgetChange: Hashable, Sendable {
  /// The new value of what is changed.
  public enum Setting: Hashable, Sendable {
    /// The limit of one budget; nil: none.
    case limit(PicoUSD?)
    /// The mode of all budgets of a name.
    case mode(BudgetMode)
    /// The window that was open at `madeAt` ended there, and the next one began with this much.
    case reset(to: PicoUSD)
    /// The configuration's own limit, or mode, holds again.
    case cleared
  }

  /// Which register of a budget, or a name, a change writes.
  public enum Matter: UInt8, CaseIterable, Hashable, Sendable {
    /// A budget's limit.
    case limit = 1
    /// A name's mode.
    case mode = 2
    /// A budget's reset.
    case reset = 3
  }

  /// The register that a change writes: one change of each holds.
  public struct Register: Hashable, Sendable {
    /// The kind of change.
    public var matter: Matter
    /// The budget; with an empty window text the name, with all its budgets.
    public var target: BudgetKey

    /// Makes a register's name.
    public init(_ matter: Matter, _ target: BudgetKey) {
      self.matter = matter
      self.target = target
    }
  }

  /// The thing that is changed.
  public var register: Register
  /// Its new value.
  public var setting: Setting
  /// When the configuration's value holds again by itself; nil: not before it is cleared.
  public var until: Timestamp?
  /// Why, in the operator's words.
  public var reason: String
  /// Who made it, and from where.
  public var author: ChangeAuthor
  /// When it was made, fleet time.
  public var madeAt: Timestamp
  /// Which of two changes of the same register holds.
  public var version: ChangeVersion

  /// The longest reason, in bytes of UTF-8.
  public static let longestReason = 256

  /// Makes a change of its parts.
  public init(
    _ register: Register, _ setting: Setting, until: Timestamp? = nil, reason: String = "",
    by author: ChangeAuthor, at madeAt: Timestamp, version: ChangeVersion
  ) {
    self.register = register
    self.setting = setting
    self.until = until
    self.reason = reason
    self.author = author
    self.madeAt = madeAt
    self.version = version
  }

  /// Whether its setting is in force at `now`: it was not cleared, and its time is not over. Its
  /// last instant is the millisecond before `until`.
  public func isInForce(at now: Timestamp) -> Bool {
    switch setting {
    case .cleared, .reset: false
    case .limit, .mode: until.map { now < $0 } ?? true
    }
  }

  /// Whether this change holds over `other`, one of the same register: its version is later. Equal
  /// versions with other contents come from a copied data directory; their texts decide, so that
  /// every node decides alike.
  public func holds(over other: BudgetChange) -> Bool {
    if version != other.version { return other.version < version }
    return other.text.utf8.lexicographicallyPrecedes(text.utf8)
  }

  /// Whether it was over so long ago that nobody keeps it.
  public func isForgotten(at now: Timestamp) -> Bool {
    guard let ended = endedAt(by: now) else { return false }
    return ended.unixMilliseconds < now.unixMilliseconds - ChangeTable.keptAfterEnd
  }

  /// When it stopped to be in force, as far as that is known before `now`; nil: it is in force.
  func endedAt(by now: Timestamp) -> Timestamp? {
    switch setting {
    case .cleared, .reset: madeAt
    case .limit, .mode: until.flatMap { $0 <= now ? $0 : nil }
    }
  }
}

/// Who made a change.
public struct ChangeAuthor: Hashable, Sendable {
  /// The principal's name; a client without one is `nobody`.
  public var name: String
  /// Its address, or the user of a Unix socket.
  public var place: String

  /// Makes an author.
  public init(name: String, place: String) {
    self.name = name
    self.place = place
  }
}

extension ChangeAuthor: CustomStringConvertible {
  /// `ops at 10.1.2.3`.
  public var description: String { place.isEmpty ? name : "\(name) at \(place)" }
}

/// Orders the changes of one register over all nodes.
public struct ChangeVersion: Hashable, Sendable {
  /// Fleet time when the change was made, but more than that of the change it replaces.
  public var milliseconds: Int64
  /// The node that made it.
  public var node: String

  /// Makes a version.
  public init(milliseconds: Int64, node: String) {
    self.milliseconds = milliseconds
    self.node = node
  }

  /// The version of a change that `node` makes at `now` in place of one of version `replaced`.
  public init(at now: Timestamp, replacing replaced: ChangeVersion?, by node: String) {
    let least = replaced.map { $0.milliseconds + 1 } ?? .min
    self.init(milliseconds: max(now.unixMilliseconds, least), node: node)
  }
}

extension ChangeVersion: Comparable {
  /// By time, then by node.
  public static func < (left: ChangeVersion, right: ChangeVersion) -> Bool {
    if left.milliseconds != right.milliseconds { return left.milliseconds < right.milliseconds }
    return left.node.utf8.lexicographicallyPrecedes(right.node.utf8)
  }
}

extension ChangeVersion: CustomStringConvertible {
  /// `1764220000000.0a1b2c3d`, as clients give it back.
  public var description: String { "\(milliseconds).\(node)" }
}
