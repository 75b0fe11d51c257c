import BudgetModel
import SeededRandom
import Testing

/// Operators' changes: which of two holds, how long, and as which text.
@Suite struct ChangeTableTests {
  private static let openai = BudgetKey(scope: .provider, name: "openai", windowText: "1d")
  private static let author = ChangeAuthor(name: "ops", place: "10.1.2.3")

  private static func time(_ milliseconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: milliseconds)
  }

  private static func limit(
    _ dollars: Int64, at now: Int64, by node: String = "n1", until: Int64? = nil,
    of key: BudgetKey = openai
  ) -> BudgetChange {
    BudgetChange(
      .init(.limit, key), .limit(PicoUSD(dollars: dollars)), until: until.map { time($0) },
      reason: "launch", by: author, at: time(now),
      version: ChangeVersion(milliseconds: now, node: node))
  }

  /// Changes as random nodes make them, each knowing what it happens to have heard.
  private static func changes(_ count: Int, _ random: inout SeededRandom) -> [BudgetChange] {
    var heard = [ChangeTable(), ChangeTable(), ChangeTable()]
    var made: [BudgetChange] = []
    for _ in 0..<count {
      let node = random.below(3)
      let matter = random.pick(BudgetChange.Matter.allCases)
      let name = random.pick(["openai", "azure"])
      let register = BudgetChange.Register(
        matter,
        BudgetKey(scope: .provider, name: name, windowText: matter == .mode ? "" : "1d"))
      let setting: BudgetChange.Setting =
        switch matter {
        case .limit:
          random.chance(0.3) ? .cleared : .limit(PicoUSD(dollars: Int64(random.below(9))))
        case .mode: random.chance(0.3) ? .cleared : .mode(random.pick(BudgetMode.allCases))
        case .reset: .reset(to: PicoUSD(dollars: Int64(random.below(9))))
        }
      // Clocks are a little apart, and often the same.
      let now = time(1_000 + Int64(random.below(4)))
      let change = BudgetChange(
        register, setting, by: author, at: now,
        version: ChangeVersion(
          at: now, replacing: heard[node][register]?.version, by: "n\(random.below(3))"))
      heard[node].merge(change)
      made.append(change)
      if random.chance(0.5) { heard[random.below(3)].merge(change) }
    }
    return made
  }

  @Test(arguments: 0..<200)
  func nodesAgreeInWhateverOrderTheyHear(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let made = Self.changes(20, &random)
    let tables = (0..<4).map { _ in
      // Some are heard twice.
      var order = made.shuffled(using: &random)
      order += order.filter { _ in random.chance(0.3) }
      return ChangeTable(order)
    }
    #expect(tables.allSatisfy { $0 == tables[0] }, "seed \(seed)")
    // Nothing changes any more by what one node tells another.
    var told = tables[1]
    for change in tables[2].all {
      let isNews = told.merge(change)
      #expect(!isNews)
    }
  }

  @Test func aNodeThatReplacesAChangeIsLater() {
    let ahead = Self.limit(5, at: 9_000, by: "n9")
    let mine = ChangeVersion(at: Self.time(1_000), replacing: ahead.version, by: "n1")
    #expect(mine == ChangeVersion(milliseconds: 9_001, node: "n1"))
    #expect(ChangeVersion(at: Self.time(9_500), replacing: mine, by: "n1").milliseconds == 9_500)
  }

  @Test func ofTwoAtOneTimeTheNodesNameDecides() {
    let (one, two) = (Self.limit(5, at: 10, by: "n1"), Self.limit(6, at: 10, by: "n2"))
    #expect(two.holds(over: one) && !one.holds(over: two) && !one.holds(over: one))
    // A copied data directory makes two changes of one version.
    let twin = Self.limit(7, at: 10, by: "n2")
    #expect(twin.holds(over: two) != two.holds(over: twin))
  }

  @Test func aTimeThatIsOverEndsAChange() {
    var table = ChangeTable([Self.limit(5, at: 10, until: 100)])
    let azure = BudgetKey(scope: .provider, name: "azure", windowText: "1d")
    table.merge(Self.limit(6, at: 10, until: 200, of: azure))
    #expect(table.nextEnd(after: Self.time(10)) == Self.time(100))
    #expect(table.countInForce(at: Self.time(99)) == 2)
    #expect(table.inForce(at: Self.time(100)).map(\.register.target.name) == ["azure"])
    #expect(table.ended(after: Self.time(99), by: Self.time(100)).count == 1)
    #expect(table.ended(after: Self.time(100), by: Self.time(199)).isEmpty)
    #expect(table.nextEnd(after: Self.time(200)) == nil)
  }

  @Test func whatIsOverIsForgottenAfterFiveWeeks() {
    let cleared = BudgetChange(
      .init(.limit, Self.openai), .cleared, by: Self.author, at: Self.time(50),
      version: ChangeVersion(milliseconds: 50, node: "n1"))
    var table = ChangeTable([cleared])
    let azure = BudgetKey(scope: .provider, name: "azure", windowText: "1d")
    table.merge(Self.limit(6, at: 10, of: azure))
    let early = table.forget(at: Self.time(50 + ChangeTable.keptAfterEnd))
    let late = table.forget(at: Self.time(51 + ChangeTable.keptAfterEnd))
    #expect(early.isEmpty && late == [cleared.register])
    #expect(table.count == 1, "one in force stays")
    // A node that was away for longer brings an old one back: the newer ones were forgotten.
    let isBack = table.merge(Self.limit(5, at: 40))
    #expect(isBack)
  }

  @Test(arguments: 0..<50)
  func textsReadBack(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for change in Self.changes(10, &random) {
      #expect(BudgetChange(text: change.text) == change)
      // Every cut, and every changed byte, is another text or none.
      let bytes = Array(change.text.utf8)
      let cut = String(decoding: bytes.prefix(random.below(bytes.count)), as: UTF8.self)
      if let read = BudgetChange(text: cut) { #expect(read.text == cut) }
      var other = bytes
      other[random.below(other.count)] = UInt8(random.below(128))
      let changed = String(decoding: other, as: UTF8.self)
      if let read = BudgetChange(text: changed) { #expect(read.text == changed) }
    }
  }

  @Test(arguments: [
    "", "1", "2\tlimit\t5\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t-5\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t9000000001\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t-1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t01\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t1\tn\tprovider\topenai\t\to\tp\tr",
    "1\tmode\tfreeze\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tmode\tboil\t\t1\t1\tn\tprovider\topenai\t\to\tp\tr",
    "1\treset\tcleared\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t1\tn\tplanet\topenai\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t1\tn\tprovider\t\t1d\to\tp\tr",
    "1\tlimit\t5\t\t1\t1\tn\tprovider\topenai\t1d\to\tp\tr\u{7}",
    "1\tlimit\t5\t\t1\t1\tn\tprovider\topenai\t1d\to\tp",
  ])
  func otherTextsAreNone(text: String) { #expect(BudgetChange(text: text) == nil) }

  @Test func linesOfTheAuditReadBack() throws {
    var entry = AuditEntry(
      at: Self.time(5), action: "set_budget", by: Self.author, node: "0a1b2c3d")
    entry.target = Self.openai
    (entry.before, entry.after, entry.reason) = ("limit 100", "limit 150", "the\tlaunch\n")
    let read = try #require(AuditEntry(text: entry.text, at: entry.at))
    #expect(read.reason == "the launch ")
    #expect(
      read.description
        == "set_budget provider openai per 1d by ops at 10.1.2.3: limit 100 to limit 150 "
        + "(the launch )")
    entry.refusal = String(repeating: "x", count: 2_000)
    #expect(try #require(AuditEntry(text: entry.text, at: entry.at)).refusal.count == 512)
    #expect(AuditEntry(text: "1\tset", at: entry.at) == nil)
  }

  @Test func moreThanAreKeptAreNotTaken() {
    var table = ChangeTable()
    for number in 0..<ChangeTable.mostKept {
      table.merge(
        Self.limit(
          1, at: 1, of: BudgetKey(scope: .tag, name: "t\(number)", windowText: "1d")))
    }
    let isNew = table.merge(Self.limit(1, at: 1))
    let isLater = table.merge(
      Self.limit(2, at: 2, of: BudgetKey(scope: .tag, name: "t5", windowText: "1d")))
    #expect(!isNew && isLater)
  }

  /// The oldest that say nothing any more make room; what holds stays.
  @Test func thoseThatHaveBeenOverForLongestMakeRoom() {
    var table = ChangeTable()
    func register(_ number: Int) -> BudgetKey {
      BudgetKey(scope: .tag, name: "t\(number)", windowText: "1d")
    }
    for number in 0..<ChangeTable.mostKept {
      var change = Self.limit(1, at: 1, of: register(number))
      // Those of odd numbers are over, the lower ones before the others.
      if number % 2 == 1 { change.until = Self.time(Int64(10 + number)) }
      table.merge(change)
    }
    let now = Self.time(Int64(10 + ChangeTable.mostKept))
    let stranger = Self.limit(1, at: 1, of: register(-1))
    var over = stranger
    over.until = Self.time(11)
    #expect(table.hasNoRoom(for: over, at: now) && !table.hasNoRoom(for: stranger, at: now))
    let gone = table.forgetOldest(at: now)
    #expect(gone.count == 1_000 && gone.first?.target == register(1))
    #expect(gone.last?.target == register(1_999))
    #expect(table.merge(stranger) && table.count == ChangeTable.mostKept - 999)
    for _ in 0..<19 { _ = table.forgetOldest(at: now) }
    #expect(table.count == ChangeTable.mostKept / 2 + 1)
    #expect(table.forgetOldest(at: now).isEmpty, "all that are left hold")
  }
}
