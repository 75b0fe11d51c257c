import ArgumentParser
import BudgetModel
import BudgetServer

/// How much is kept: copies of the ledger, idempotency keys, and budgets that names get from patterns.
struct LedgerArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where 'budgetctl backup' has copies put; backups in the data directory if not given.",
      valueName: "dir"))
  var backupDir: String?

  @Option(
    help: ArgumentHelp(
      "Copies that the backup directory may hold; with so many none is made, and none is deleted.",
      valueName: "count"))
  var backupsKept = 7

  @Option(
    help: ArgumentHelp(
      "Bytes of the disk that a copy must leave free, or it is not made.", valueName: "bytes"))
  var backupReserveBytes: Int64 = 268_435_456

  @Option(
    help: ArgumentHelp(
      "Idempotency keys that are remembered, each for 24 hours or until so many newer ones came. One "
        + "takes about 35 bytes of memory and 60 of disk.", valueName: "count"))
  var keysKept = 20_000_000

  @Option(
    help: ArgumentHelp(
      "Budgets that names get from patterns, such as user:*, live at a time; with so many, charges of "
        + "other names go to the pattern's own budget. One takes up to 400 bytes of memory.",
      valueName: "count"))
  var dynamicBudgets = 1_000_000

  @Option(
    help: ArgumentHelp(
      "Reservations that may be open at a time; past it requests for one are answered UNAVAILABLE. One "
        + "takes up to 200 bytes of memory.", valueName: "count"))
  var maxOpenReservations = 1_000_000

  @Option(
    help: ArgumentHelp(
      "Dollars that a request is expected to cost of which nothing is known, where it reserves without "
        + "an amount; twice that is kept back at first.", valueName: "usd"))
  var defaultEstimate = 0.01

  func validate() throws {
    if let backupDir, backupDir.isEmpty {
      throw ValidationError("--backup-dir '': give a directory")
    }
    func check(_ name: String, _ value: Int64, _ range: ClosedRange<Int64>) throws {
      guard range.contains(value) else {
        throw ValidationError(
          "--\(name) \(value): give \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check("backups-kept", Int64(backupsKept), 0...10_000)
    try check("backup-reserve-bytes", backupReserveBytes, 0...Int64.max)
    try check("dynamic-budgets", Int64(dynamicBudgets), 0...100_000_000)
    try check("max-open-reservations", Int64(maxOpenReservations), 1...1_000_000_000)
    guard Self.estimate(defaultEstimate) != nil else {
      throw ValidationError(
        "--default-estimate \(defaultEstimate): give a cost in dollars from 0.000001 to 1000000")
    }
    try check("keys-kept", Int64(keysKept), 1_000...1_000_000_000)
  }

  private static func estimate(_ dollars: Double) -> PicoUSD? {
    guard dollars >= 0.000001 else { return nil }
    return try? PicoUSD(dollars: dollars, atMost: PicoUSD(dollars: 1_000_000))
  }

  /// Sets the bounds in the server's options.
  func apply(to options: inout ServerOptions) {
    options.backupDirectory = backupDir
    options.backupsKept = backupsKept
    options.backupReserveBytes = backupReserveBytes
    options.keysKept = keysKept
    options.dynamicBudgets = dynamicBudgets
    options.maximumOpenReservations = maxOpenReservations
    if let estimate = Self.estimate(defaultEstimate) { options.defaultEstimate = estimate }
  }
}
