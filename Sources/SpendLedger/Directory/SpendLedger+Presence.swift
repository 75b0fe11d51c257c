extension SpendLedger {
  /// Whether a ledger is kept in `directory`. Opens and changes nothing.
  public static func isKept(in directory: String) -> Bool {
    SystemCalls.status(of: DataDirectory.databasePath(in: directory)) != nil
  }
}
