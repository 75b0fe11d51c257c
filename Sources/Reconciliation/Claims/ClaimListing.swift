import BudgetModel
import RedisStore

/// Which budgets nodes have claims on: a sorted set in the store names them, with the instant until which
/// a claim may stand. So a node hears of what others hold of budgets in which it has reserved nothing
/// itself, at a cost that goes by what is claimed, and not by how many budgets there are.
///
/// Nothing is granted by it: where the list was lost or may not be kept, such a node shows spend alone.
struct ClaimListing {
  /// The budgets that the list named when it was read last.
  private var named: [BudgetKey] = []
  /// The place among them that the next pass goes on from.
  private var cursor = 0
  /// Those in which the node was shown others' claims.
  private var shown: Set<BudgetKey> = []
  /// Whether there may be more of them than were read.
  private var isCut = false
  /// Whether what was listed may be lost.
  private var isDoubted = false
  /// Why the store's user may not read or write the list; nil: nothing is known against it.
  private(set) var refusal: String?
  /// The node as whose reservations others may end; until then it is listed too.
  var mailbox: String?
  private var mailboxUntil = Timestamp(unixMilliseconds: 0)

  /// So many are named by one command.
  private static let writtenAtOnce = 500
  /// So many names of claimed budgets are read at most.
  static let readBound = 20_000
  /// So many claimed budgets one pass looks at.
  private static let heardAtOnce = 2_000

  mutating func linkWasMade() {
    refusal = nil
    isDoubted = true
  }

  /// The node was shown others' claims on a budget.
  mutating func noteShown(_ key: BudgetKey) { shown.insert(key) }

  // MARK: - The list

  /// As the list names a node: no scope is called so.
  static func member(of node: String) -> [UInt8] { Array("node:\(node)".utf8) }

  /// A reservation may last for an hour.
  private static let mailTime = Duration.seconds(3_600)

  /// The command that reads the list; nil: it may not be read.
  func question(_ keys: RedisKeys, at now: Timestamp) -> [[UInt8]]? {
    guard refusal == nil else { return nil }
    return [Array("ZRANGEBYSCORE".utf8), keys.claimedKey]
      + ["\(now.unixMilliseconds)", "+inf", "LIMIT", "0", "\(Self.readBound)"].map {
        Array($0.utf8)
      }
  }

  mutating func take(_ reply: RedisValue) {
    if let refusal = reply.refusal { return refused(refusal) }
    guard let names = reply.array else { return }
    isCut = names.count >= Self.readBound
    named = names.compactMap { $0.bytes.flatMap { BudgetKey(listed: $0) } }
  }

  /// The commands that list what this node claims, where it is not listed for long enough.
  mutating func commands(
    _ budgets: inout KnownBudgets, _ keys: RedisKeys, _ terms: ClaimTerms, at now: Timestamp
  ) -> [[[UInt8]]] {
    guard refusal == nil else { return [] }
    if isDoubted {
      for index in budgets.indices { budgets[index].claims?.forgetListing() }
      mailboxUntil = Timestamp(unixMilliseconds: 0)
      isDoubted = false
    }
    var words: [[UInt8]] = []
    if let mailbox, mailboxUntil < now.later(by: Self.mailTime) {
      mailboxUntil = now.later(by: Self.mailTime + terms.listingTime)
      words += [Array("\(mailboxUntil.unixMilliseconds)".utf8), Self.member(of: mailbox)]
    }
    for index in budgets.indices where budgets[index].claims != nil {
      guard let until = budgets[index].claims?.listing(terms, at: now) else { continue }
      words.append(Array("\(until.unixMilliseconds)".utf8))
      words.append(budgets[index].key.listed)
    }
    return stride(from: 0, to: words.count, by: 2 * Self.writtenAtOnce).map { start in
      // The later end wins: another node may need it for longer.
      [Array("ZADD".utf8), keys.claimedKey, Array("GT".utf8)]
        + words[start..<min(start + 2 * Self.writtenAtOnce, words.count)]
    }
  }

  /// The store's answer to one of them.
  mutating func written(_ reply: RedisValue) {
    if let refusal = reply.refusal { refused(refusal) }
  }

  private mutating func refused(_ refusal: RedisRefusal) {
    isDoubted = true
    if refusal.isForWantOfRights || refusal.isAboutOneKey { self.refusal = refusal.text }
  }

  // MARK: - Others' claims

  /// The budgets whose claims this pass looks at, of those that no call since `start` was about; `among`: of
  /// these alone.
  mutating func unheard(
    _ budgets: KnownBudgets, among keys: Set<BudgetKey>?, since start: Timestamp
  ) -> [ClaimedBudget] {
    var found: [ClaimedBudget] = []
    for _ in named.indices where found.count < Self.heardAtOnce {
      let key = named[cursor % named.count]
      cursor = (cursor + 1) % named.count
      if keys?.contains(key) ?? true, let budget = budgets.claimed(key, unheardSince: start) {
        found.append(budget)
      }
    }
    return found
  }

  /// The budgets in which others claim nothing any more, as far as the list tells; they are forgotten.
  mutating func takeOver(_ budgets: KnownBudgets, since start: Timestamp) -> [ClaimedBudget] {
    guard refusal == nil, !isCut else { return [] }
    let over = shown.subtracting(named)
    shown.subtract(over)
    return over.compactMap { budgets.claimed($0, unheardSince: start) }
  }
}

/// A budget of which others may claim something.
struct ClaimedBudget {
  var key: BudgetKey
  var keys: BudgetKeys
  /// When the window began that this node has.
  var start: Timestamp
}

extension KnownBudgets {
  /// The budget with the window that is known of it; nil: there is none, it cannot be looked at now, or a
  /// call since `start` has told of its claims.
  fileprivate func claimed(_ key: BudgetKey, unheardSince start: Timestamp) -> ClaimedBudget? {
    guard let index = places[key] else { return dynamic.claimed(key) }
    guard let record = states[index].record, !states[index].isAway else { return nil }
    if let heard = states[index].claims?.heardAt, heard >= start { return nil }
    return ClaimedBudget(key: key, keys: states[index].keys, start: record.start)
  }
}

/// The claims on one budget, as a node reads them that claims nothing there.
struct StandingClaims {
  /// The fields that are read first, before that of the node's own origin.
  private static let fields = ["s", "x"]

  static func question(_ budget: ClaimedBudget, origin: String) -> [[UInt8]] {
    [Array("HMGET".utf8), RedisKeys.claimsKey(besideMark: budget.keys.mark)]
      + (fields + [origin]).map { Array($0.utf8) }
  }

  static func wholeQuestion(_ budget: ClaimedBudget) -> [[UInt8]] {
    [Array("HGETALL".utf8), RedisKeys.claimsKey(besideMark: budget.keys.mark)]
  }

  enum Answer: Equatable {
    /// The sum of others' claims.
    case others(PicoUSD)
    /// One of them has ended: each has to be looked at.
    case mayHaveEnded
    case unreadable
  }

  static func answer(_ reply: RedisValue, at now: Timestamp) -> Answer {
    guard let values = reply.array, values.count == fields.count + 1 else { return .unreadable }
    if values[0] == .null { return .others(.zero) }
    guard let sum = text(values[0]).flatMap({ PicoUSD(twelveDecimals: $0) }),
      let ends = text(values[1]).flatMap({ StoreNumber.milliseconds($0) })
    else { return .unreadable }
    if ends < now { return .mayHaveEnded }
    return .others(max(.zero, sum - claim(values[2], at: now)))
  }

  /// The sum of the claims that stand, without those of `origin`.
  static func others(_ reply: RedisValue, besides origin: String, at now: Timestamp) -> PicoUSD? {
    guard let fields = reply.array, fields.count.isMultiple(of: 2) else { return nil }
    var sum = PicoUSD.zero
    for place in stride(from: 0, to: fields.count, by: 2) {
      guard let name = text(fields[place]), name.contains("."), name != origin else { continue }
      sum += claim(fields[place + 1], at: now)
    }
    return sum
  }

  /// The amount of a claim, written `number amount end`; zero if it has ended or cannot be read.
  private static func claim(_ value: RedisValue, at now: Timestamp) -> PicoUSD {
    let words = text(value)?.split(separator: " ") ?? []
    guard words.count == 3, let ends = StoreNumber.milliseconds(String(words[2])), ends >= now
    else { return .zero }
    return ClaimCall.amount(String(words[1])) ?? .zero
  }

  private static func text(_ value: RedisValue) -> String? {
    value.bytes.map { String(decoding: $0, as: UTF8.self) }
  }
}

extension BudgetKey {
  /// As the list has it: a window's text has no colon.
  fileprivate var listed: [UInt8] { Array("\(scope):\(windowText):\(name)".utf8) }

  fileprivate init?(listed text: [UInt8]) {
    let parts = text.split(
      separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false
    )
    .map { String(decoding: $0, as: UTF8.self) }
    guard parts.count == 3,
      let scope = BudgetScope.allCases.first(where: { "\($0)" == parts[0] })
    else { return nil }
    self.init(scope: scope, name: parts[2], windowText: parts[1])
  }
}
