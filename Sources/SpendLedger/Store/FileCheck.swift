/// Reads a database's header itself, before SQLite sees the file: what is not a ledger is refused
/// without so much as an empty WAL beside it.
enum FileCheck {
  static let headerBytes = 100
  /// The header's two bytes for the format lie here: 1 with a rollback journal, 2 with a log.
  static let formatOffset = 18
  private static let magic = Array("SQLite format 3\u{0}".utf8)

  static func check(_ path: String) throws(LedgerError) {
    let header: [UInt8]
    do {
      header = try SystemCalls.head(of: path, count: headerBytes)
    } catch {
      throw .directory(path: path, reason: error.text)
    }
    guard isDatabase(header) else {
      throw .notADatabase(path: path)
    }
    let applicationID = number(header, 68)
    guard applicationID == LedgerSchema.applicationID else {
      throw .foreign(path: path, applicationID: applicationID)
    }
    let version = Int32(bitPattern: number(header, 60))
    guard version <= LedgerSchema.version else {
      throw .newer(path: path, version: version, supported: LedgerSchema.version)
    }
    let coded = Int64(header[16]) << 8 | Int64(header[17])
    let pageSize = coded == 1 ? 65_536 : coded
    let size = SystemCalls.status(of: path)?.size ?? 0
    guard pageSize >= 512, size % pageSize == 0 else {
      throw .damaged(path: path, finding: "its \(size) bytes are not a whole number of pages")
    }
    if let finding = LogCheck.finding(path + "-wal") {
      throw .damaged(path: path + "-wal", finding: finding)
    }
  }

  private static func isDatabase(_ header: [UInt8]) -> Bool {
    header.count == headerBytes && Array(header.prefix(16)) == magic
  }

  /// Whether a file that begins so is a ledger, of whatever version.
  static func isLedger(_ header: [UInt8]) -> Bool {
    isDatabase(header) && number(header, 68) == LedgerSchema.applicationID
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
