import CSQLite

/// The owner of a prepared statement: finalized once, when it goes.
@safe struct SQLiteStatement: ~Copyable {
  private let handle: OpaquePointer

  @unsafe init(adopting handle: OpaquePointer) { unsafe self.handle = handle }

  deinit { unsafe sqlite3_finalize(handle) }

  private func error(_ code: Int32, _ operation: String) -> SQLiteError {
    let message = unsafe sqlite3_errmsg(sqlite3_db_handle(handle)).map {
      unsafe String(cString: $0)
    }
    return SQLiteError(code: code, message: message ?? "unknown", operation: operation)
  }

  // Binding fails only for want of memory or for a wrong index: the step after it would then work
  // on NULL, which every column here refuses.

  func bind(_ value: Int64, at index: Int32) { unsafe _ = sqlite3_bind_int64(handle, index, value) }

  func bind(_ text: String, at index: Int32) {
    var text = text
    text.withUTF8 { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
        unsafe _ = csqlite_bind_text(handle, index, bytes.baseAddress, Int32(bytes.count))
      }
    }
  }

  func bind(_ bytes: [UInt8], at index: Int32) { bind(unsafe bytes.span.bytes, at: index) }

  func bind(_ bytes: RawSpan, at index: Int32) {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe _ = csqlite_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count))
    }
  }

  /// Moves to the next row; false: there is none.
  func step(_ operation: String) throws(SQLiteError) -> Bool {
    let code = unsafe sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE { return false }
    let failure = error(code, operation)
    reset()
    throw failure
  }

  /// Runs a statement whose rows, if any, are of no interest, and makes it ready for the next time.
  func run(_ operation: String) throws(SQLiteError) {
    while try step(operation) {}
    reset()
  }

  func reset() { unsafe _ = sqlite3_reset(handle) }

  func isNull(_ column: Int32) -> Bool {
    unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

  func text(_ column: Int32) -> String {
    guard let text = unsafe sqlite3_column_text(handle, column) else { return "" }
    let count = unsafe Int(sqlite3_column_bytes(handle, column))
    return unsafe String(
      decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
  }

  func blob(_ column: Int32) -> [UInt8] {
    guard let bytes = unsafe sqlite3_column_blob(handle, column) else { return [] }
    let count = unsafe Int(sqlite3_column_bytes(handle, column))
    return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
  }
}
