import BudgetModel

/// Dynamic budgets between the passes that look at them: some 190 bytes a budget, where one that is
/// looked at has ten times as much.
///
/// A budget has a head with the facts that it has once, and a row for each window and origin of
/// this node's spend.
struct RestingBudgets {
  struct Flags: OptionSet {
    var rawValue: UInt8
    /// The head is a budget's.
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

  /// A budget: 96 bytes.
  struct Head {
    var total = PicoUSD.zero
    var highest = PicoUSD.zero
    /// The fleet's window; `never`: none is known.
    var record = Window(start: RestingBudgets.never, end: RestingBudgets.never)
    /// Since when there is news; when the script ran last; when the spend key is to be read.
    var unsentSince = RestingBudgets.never
    var mergedAt = RestingBudgets.never
    var readDue = RestingBudgets.never
    fileprivate(set) var key: BudgetKeyPool.Key
    /// The number of its pattern; -1: no pattern gives it any more.
    var pattern: Int32
    /// Its first row; of a free head the next free one.
    fileprivate(set) var first = RestingBudgets.none
    var flags: Flags = .isHead

    fileprivate init(_ key: BudgetKeyPool.Key, pattern: Int32) {
      self.key = key
      self.pattern = pattern
    }
  }

  /// A window, and what one origin has spent in it; how much of that needs no telling. 64 bytes.
  struct Row {
    var cumulative = PicoUSD.zero
    var confirmed = PicoUSD.zero
    var start: Timestamp
    var end: Timestamp
    var origin: Int32
    /// The next row of the budget, or the next free one.
    fileprivate(set) var next: Int32
  }

  static let none: Int32 = -1
  static let never = Timestamp(unixMilliseconds: .min)

  private var heads = Pieces<Head>()
  private var rows = Pieces<Row>()
  private var firstFreeHead = none
  private var firstFreeRow = none
  private var keys = BudgetKeyPool()
  private var index = BudgetKeyIndex()
  private var origins: [String] = []
  private var originNumbers: [String: Int32] = [:]
  /// Heads with news, and those whose spend keys are read more often than others'. A head may be
  /// gone, or stand twice: its flags say what it is.
  var unsent: [Int32] = []
  var watched: [Int32] = []
  /// The place that the next look in turns begins at.
  var cursor: Int32 = 0

  /// How many budgets rest here, and whether none does.
  var count: Int { index.count }
  var isEmpty: Bool { index.isEmpty }

  /// How many heads there are, free ones too.
  var headCount: Int32 { Int32(heads.count) }

  subscript(head: Int32) -> Head {
    get { heads[Int(head)] }
    _modify { yield &heads[Int(head)] }
  }

  /// The head of the budget that goes by `key`.
  func head(of key: BudgetKey) -> Int32? {
    guard let hash = keys.hash(of: key) else { return nil }
    return index.number(hash: hash) { keys.isEqual(heads[Int($0)].key, key) }.map { Int32($0) }
  }

  /// The key of the budget whose head that is.
  func key(of head: Int32) -> BudgetKey { keys[heads[Int(head)].key] }

  func origin(_ number: Int32) -> String { origins[Int(number)] }

  mutating func number(ofOrigin name: String) -> Int32 {
    if let number = originNumbers[name] { return number }
    let number = Int32(origins.count)
    origins.append(name)
    originNumbers[name] = number
    return number
  }

  // MARK: - Heads and rows

  /// A head for a budget that has none.
  mutating func addHead(_ key: BudgetKey, pattern: Int32) -> Int32 {
    let short = keys.add(key)
    let head = firstFreeHead == Self.none ? Int32(heads.count) : firstFreeHead
    if firstFreeHead == Self.none {
      heads.append(Head(short, pattern: pattern))
    } else {
      firstFreeHead = self[head].first
      self[head] = Head(short, pattern: pattern)
    }
    let (known, pool) = (heads, keys)
    index.insert(Int64(head), hash: pool.hash(of: short)) { pool.hash(of: known[Int($0)].key) }
    return head
  }

  private mutating func addRow(_ row: Row) -> Int32 {
    if firstFreeRow == Self.none {
      rows.append(row)
      return Int32(rows.count - 1)
    }
    let place = firstFreeRow
    firstFreeRow = rows[Int(place)].next
    rows[Int(place)] = row
    return place
  }

  private mutating func freeRows(of head: Int32) {
    var row = self[head].first
    while row != Self.none {
      let next = rows[Int(row)].next
      rows[Int(row)] = Row(start: Self.never, end: Self.never, origin: 0, next: firstFreeRow)
      firstFreeRow = row
      row = next
    }
    self[head].first = Self.none
  }

  /// The budget is gone.
  mutating func remove(_ head: Int32) {
    let short = self[head].key
    do {
      let (known, pool) = (heads, keys)
      index.remove(Int64(head), hash: pool.hash(of: short)) { pool.hash(of: known[Int($0)].key) }
    }
    keys.remove(short)
    freeRows(of: head)
    self[head] = Head(short, pattern: -1)
    self[head].flags = []
    self[head].first = firstFreeHead
    firstFreeHead = head
    if keys.isWasteful { moveKeys() }
  }

  /// Keeps the names that are in use only.
  private mutating func moveKeys() {
    var kept = keys.emptied()
    for head in 0..<headCount where self[head].flags.contains(.isHead) {
      self[head].key = kept.take(self[head].key, from: keys)
    }
    keys = kept
  }

  /// Calls `body` with each row of a budget.
  func forEach(_ head: Int32, _ body: (Row) -> Void) {
    var row = self[head].first
    while row != Self.none {
      body(rows[Int(row)])
      row = rows[Int(row)].next
    }
  }

  /// The row of a window and origin, made where it is not there.
  private mutating func row(_ head: Int32, _ start: Timestamp, _ origin: Int32) -> Int {
    var row = self[head].first
    while row != Self.none {
      let known = rows[Int(row)]
      if known.start == start, known.origin == origin { return Int(row) }
      row = known.next
    }
    let made = addRow(Row(start: start, end: start, origin: origin, next: self[head].first))
    self[head].first = made
    return Int(made)
  }

  // MARK: - News

  /// The ledger tells a total of the budget whose head that is.
  mutating func note(_ total: OriginTotal, _ head: Int32, isInherited: Bool) {
    let place = row(head, total.start, number(ofOrigin: total.origin))
    rows[place].cumulative = total.cumulative
    var row = self[head].first
    while row != Self.none {
      if rows[Int(row)].start == total.start { rows[Int(row)].end = total.end }
      row = rows[Int(row)].next
    }
    let isUnknown = isInherited && self[head].mergedAt == Self.never
    if isUnknown { self[head].flags.insert(.isInherited) }
    // An earlier life has told most of its spend: it is looked at in turns.
    if rows[place].cumulative > rows[place].confirmed, !isUnknown { list(head) }
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
    for row in rows.indices { rows[row].cumulative = .zero }
  }

  /// The budget has these parts from now on: each a window's, of one origin.
  mutating func setParts(_ head: Int32, _ parts: [Part]) {
    freeRows(of: head)
    for part in parts {
      let place = row(head, part.start, number(ofOrigin: part.origin))
      rows[place].end = part.end
      rows[place].cumulative = part.cumulative
      rows[place].confirmed = part.confirmed
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
