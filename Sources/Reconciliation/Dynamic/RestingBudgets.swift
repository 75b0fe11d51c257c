import BudgetModel

/// Dynamic budgets between the passes that look at them: some 200 bytes a budget, where one that is
/// looked at has ten times as much.
///
/// A budget has a row for each window and origin of this node's spend. Its first row, the head, has
/// the facts that it has once.
struct RestingBudgets {
  struct Flags: OptionSet {
    var rawValue: UInt8
    static let isHead = Flags(rawValue: 1)
    /// The spend key was there when it was read last.
    static let hasTotal = Flags(rawValue: 2)
    /// An earlier life may have told of its spend; what the store has of it is not known.
    static let isInherited = Flags(rawValue: 4)
    /// The node was shown others' spend.
    static let isShown = Flags(rawValue: 8)
    static let isAwake = Flags(rawValue: 16)
    /// It is in the list of those with news; in that of those looked at often.
    static let isListed = Flags(rawValue: 32)
    static let isWatched = Flags(rawValue: 64)
    /// It was shown something else than what is known by now.
    static let owesView = Flags(rawValue: 128)
  }

  struct Row {
    var key: BudgetKey
    /// A window, and what one origin has spent in it; how much of that needs no telling.
    var start: Timestamp
    var end: Timestamp
    var cumulative = PicoUSD.zero
    var confirmed = PicoUSD.zero
    var origin: Int32
    /// The next row of the budget, or the next free one.
    var next = RestingBudgets.none

    /// Of a head. The number of its pattern; -1: no pattern gives it any more.
    var pattern: Int32 = -1
    /// The fleet's window; `never`: none is known.
    var record = Window(start: RestingBudgets.never, end: RestingBudgets.never)
    var total = PicoUSD.zero
    var highest = PicoUSD.zero
    /// Since when there is news; when the script ran last; when the spend key is to be read.
    var unsentSince = RestingBudgets.never
    var mergedAt = RestingBudgets.never
    var readDue = RestingBudgets.never
    var flags: Flags = []
  }

  static let none: Int32 = -1
  static let never = Timestamp(unixMilliseconds: .min)
  /// Rows lie in pieces that never move: one array would take twice its size while it grows.
  private static let shift: Int32 = 10
  private static let mask: Int32 = 1 << shift - 1

  private var pieces: [[Row]] = []
  private(set) var rowCount: Int32 = 0
  private var firstFree = none
  private var index = BudgetKeyIndex()
  private var origins: [String] = []
  private var originNumbers: [String: Int32] = [:]
  /// Heads with news, and those whose spend keys are read more often than others'. A head may be
  /// gone, or stand twice: its flags say what it is.
  var unsent: [Int32] = []
  var watched: [Int32] = []
  /// The place that the next look in turns begins at.
  var cursor: Int32 = 0

  /// How many budgets rest here.
  var count: Int { index.count }

  subscript(row: Int32) -> Row {
    get { pieces[Int(row >> Self.shift)][Int(row & Self.mask)] }
    _modify { yield &pieces[Int(row >> Self.shift)][Int(row & Self.mask)] }
  }

  /// The head of the budget that goes by `key`.
  func head(of key: BudgetKey) -> Int32? {
    index.number(of: key) { self[Int32($0)].key }.map { Int32($0) }
  }

  func origin(_ number: Int32) -> String { origins[Int(number)] }

  mutating func number(ofOrigin name: String) -> Int32 {
    if let number = originNumbers[name] { return number }
    let number = Int32(origins.count)
    origins.append(name)
    originNumbers[name] = number
    return number
  }

  // MARK: - Rows

  /// A head for a budget that has none.
  mutating func addHead(_ key: BudgetKey, pattern: Int32) -> Int32 {
    var row = Row(key: key, start: Self.never, end: Self.never, origin: 0)
    row.pattern = pattern
    row.flags = .isHead
    let head = add(row)
    let rows = pieces
    index.insert(Int64(head)) { Self.key(Int32($0), in: rows) }
    return head
  }

  private static func key(_ row: Int32, in pieces: [[Row]]) -> BudgetKey {
    pieces[Int(row >> shift)][Int(row & mask)].key
  }

  private mutating func add(_ row: Row) -> Int32 {
    if firstFree != Self.none {
      let place = firstFree
      firstFree = self[place].next
      self[place] = row
      return place
    }
    let place = rowCount
    rowCount += 1
    if place & Self.mask == 0 {
      pieces.append([])
      pieces[pieces.count - 1].reserveCapacity(1 << Int(Self.shift))
    }
    pieces[pieces.count - 1].append(row)
    return place
  }

  private mutating func free(_ row: Int32) {
    self[row] = Row(
      key: BudgetKey(scope: .total, name: "", windowText: ""), start: Self.never, end: Self.never,
      origin: 0, next: firstFree)
    firstFree = row
  }

  /// The budget is gone.
  mutating func remove(_ head: Int32) {
    let rows = pieces
    index.remove(self[head].key) { Self.key(Int32($0), in: rows) }
    var row = head
    while row != Self.none {
      let next = self[row].next
      free(row)
      row = next
    }
  }

  /// Calls `body` with each row of a budget that holds a window.
  func forEach(_ head: Int32, _ body: (Row) -> Void) {
    var row = head
    while row != Self.none {
      if self[row].start != Self.never { body(self[row]) }
      row = self[row].next
    }
  }

  /// The row of a window and origin, made where it is not there.
  private mutating func row(_ head: Int32, _ start: Timestamp, _ origin: Int32) -> Int32 {
    var row = head
    while row != Self.none {
      if self[row].start == start, self[row].origin == origin { return row }
      row = self[row].next
    }
    if self[head].start == Self.never {
      self[head].start = start
      self[head].origin = origin
      return head
    }
    let made = add(
      Row(
        key: self[head].key, start: start, end: start, origin: origin, next: self[head].next))
    self[head].next = made
    return made
  }

  // MARK: - News

  /// The ledger tells a total of the budget whose head that is.
  mutating func note(_ total: OriginTotal, _ head: Int32, isInherited: Bool) {
    let place = row(head, total.start, number(ofOrigin: total.origin))
    self[place].cumulative = total.cumulative
    var row = head
    while row != Self.none {
      if self[row].start == total.start { self[row].end = total.end }
      row = self[row].next
    }
    let isUnknown = isInherited && self[head].mergedAt == Self.never
    if isUnknown { self[head].flags.insert(.isInherited) }
    // An earlier life has told most of its spend: it is looked at in turns.
    if self[place].cumulative > self[place].confirmed, !isUnknown { list(head) }
  }

  /// The budget has news.
  mutating func list(_ head: Int32) {
    guard !self[head].flags.contains(.isListed) else { return }
    self[head].flags.insert(.isListed)
    self[head].unsentSince = Self.never
    unsent.append(head)
  }

  /// The news of the budget, if it has any, counts as of `time`.
  mutating func postponeNews(_ head: Int32, since time: Timestamp) {
    if self[head].flags.isSuperset(of: [.isHead, .isListed]) { self[head].unsentSince = time }
  }

  /// Nothing that was told of totals holds any more: they are told anew.
  mutating func forgetTotals() {
    for row in 0..<rowCount { self[row].cumulative = .zero }
  }

  /// The budget has these parts from now on: each a window's, of one origin.
  mutating func setParts(_ head: Int32, _ parts: [Part]) {
    var row = self[head].next
    while row != Self.none {
      let next = self[row].next
      free(row)
      row = next
    }
    self[head].next = Self.none
    (self[head].start, self[head].end) = (Self.never, Self.never)
    (self[head].cumulative, self[head].confirmed) = (.zero, .zero)
    for part in parts {
      let place = self.row(head, part.start, number(ofOrigin: part.origin))
      self[place].end = part.end
      self[place].cumulative = part.cumulative
      self[place].confirmed = part.confirmed
    }
  }

  struct Part {
    var start: Timestamp
    var end: Timestamp
    var origin: String
    var cumulative: PicoUSD
    var confirmed: PicoUSD
  }
}
