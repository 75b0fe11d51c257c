import BudgetModel

/// The names that a copy may have. A name, never a path: it leads nowhere but into the directory.
enum BackupName {
  /// With what is put around it while the copy is made, the longest that file systems take.
  static let longest = 200

  /// SQLite would take such a file beside a copy for a part of it.
  private static let companions = ["-journal", "-wal", "-shm"]

  /// The fault of `name`; nil: none.
  static func complaint(_ name: String) -> String? {
    if name.utf8.contains(UInt8(ascii: "/")) {
      return "it is a path; give a name without '/'"
    }
    if name.utf8.count > longest { return "it has more than \(longest) bytes" }
    if name.isEmpty || name.hasPrefix(".") { return "it begins with a dot, or is empty" }
    let hasControl = name.unicodeScalars.contains {
      $0.value < 0x20 || (0x7F...0x9F).contains($0.value)
    }
    if hasControl { return "it has control characters" }
    if let companion = companions.first(where: { name.hasSuffix($0) }) {
      return "SQLite would take a file that ends in '\(companion)' for a part of a database"
    }
    return nil
  }

  /// A name made of the date, `ledger-20260115-000000.sqlite`; from the second on with a number.
  static func dated(_ now: Timestamp, number: Int = 1) -> String {
    let digits = now.iso8601.prefix(19).filter { $0.isASCII && $0.isNumber }
    let suffix = number == 1 ? "" : "-\(number)"
    return "ledger-\(digits.prefix(8))-\(digits.dropFirst(8))\(suffix).sqlite"
  }
}
