import BudgetModel
import Foundation
import Glibc
import Testing

@testable import SpendLedger

@Suite struct MigrationTests {
  /// The layout of version 1 as it was released: it never changes.
  private static let version1: StaticString = """
    PRAGMA application_id = 0x62677464;
    CREATE TABLE meta(
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE origin(
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL CHECK(length(name) = 17),
      seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE budget(
      id INTEGER PRIMARY KEY,
      scope INTEGER NOT NULL CHECK(scope BETWEEN 1 AND 3),
      name TEXT NOT NULL,
      window_text TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE window_spend(
      budget INTEGER NOT NULL REFERENCES budget(id),
      start_ms INTEGER NOT NULL,
      origin INTEGER NOT NULL REFERENCES origin(id),
      end_ms INTEGER NOT NULL,
      dollars INTEGER NOT NULL CHECK(dollars BETWEEN 0 AND 1000000000000000000),
      pico INTEGER NOT NULL CHECK(pico BETWEEN 0 AND 999999999999),
      seal INTEGER NOT NULL,
      PRIMARY KEY(budget, start_ms, origin)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE batch(
      id INTEGER PRIMARY KEY,
      digest BLOB NOT NULL CHECK(length(digest) = 16),
      payload BLOB NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
    """

  /// Makes a data directory with a database of version 1 that holds one window.
  private static func makeVersion1(_ directory: String, window: SpentWindow) throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false)
    let path = DataDirectory.databasePath(in: directory)
    _ = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    let connection = try SQLiteConnection(path: path)
    try connection.execute("PRAGMA journal_mode = WAL", "make version 1")
    try connection.execute(version1, "make version 1")
    let origin = try connection.prepare("INSERT INTO origin(id, name, seal) VALUES(?, ?, ?)")
    origin.bind(1, at: 1)
    origin.bind("0123abcd.00000001", at: 2)
    origin.bind(RowSeal.origin(1, "0123abcd.00000001"), at: 3)
    try origin.run("make version 1")
    let budget = try connection.prepare(
      "INSERT INTO budget(id, scope, name, window_text, seal) VALUES(?, ?, ?, ?, ?)")
    let stored = StoredBudget(window.window.key)
    budget.bind(1, at: 1)
    budget.bind(stored.scope, at: 2)
    budget.bind(stored.name, at: 3)
    budget.bind(stored.windowText, at: 4)
    budget.bind(stored.seal(id: 1), at: 5)
    try budget.run("make version 1")
    let row = try connection.prepare(
      """
      INSERT INTO window_spend(budget, start_ms, origin, end_ms, dollars, pico, seal)
      VALUES(?, ?, ?, ?, ?, ?, ?)
      """)
    let key = BalanceKey(budget: 1, start: window.window.start.unixMilliseconds)
    let end = window.window.end.unixMilliseconds
    let (dollars, pico) = (window.spend.wholeDollars, window.spend.restPico)
    for (index, value) in [key.budget, key.start, 1, end, dollars, pico].enumerated() {
      row.bind(value, at: Int32(index + 1))
    }
    row.bind(RowSeal.balance(key, end: end, origin: 1, dollars: dollars, pico: pico), at: 7)
    try row.run("make version 1")
  }

  @Test func aLedgerOfVersion1OpensWithItsSpendAndJoinsAFleet() throws {
    let directory = LedgerFixture.temporaryPath()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let client = TestClient()
    let now = client.now()
    let window = SpentWindow(
      window: BudgetWindow(
        key: BudgetKey(scope: .provider, name: "p0", windowText: "1d"),
        start: Timestamp(unixMilliseconds: now.unixMilliseconds - 1_000),
        end: Timestamp(unixMilliseconds: now.unixMilliseconds + 86_399_000)),
      spend: PicoUSD(pico: 7_000_000_000_001))
    try Self.makeVersion1(directory, window: window)
    var settings = LedgerSettings(directory: directory)
    settings.readClock = { ClockReading(wall: now, boottimeMilliseconds: 0, bootID: "") }
    let ledger = try SpendLedger.open(settings)
    #expect(ledger.opening.windows == [window])
    #expect(ledger.opening.openWindows == [window])
    #expect(ledger.opening.fleet == [])
    ledger.start(client)
    let changes = try ledger.changes()
    #expect(changes.totals.map(\.origin) == ["0123abcd.00000001"])
    var fleet = window.window
    fleet.start.unixMilliseconds -= 5
    let record = FleetWindow(window: fleet, at: now)
    try ledger.adopt([
      FleetAdoption(moving: [window.window.start], closing: [], record: record)
    ])
    ledger.close()
    let again = try SpendLedger.open(settings)
    #expect(again.opening.windows == [SpentWindow(window: fleet, spend: window.spend)])
    #expect(again.opening.fleet == [record])
    again.close()
  }
}
