import BudgetModel

/// Reads a batch's row, as `BatchWriter` wrote it; anything else is damage.
struct BatchReader {
  /// The row is not what this reader knows.
  struct Damage: Error {
    var finding: String
  }

  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  static func contents(of bytes: [UInt8]) throws(Damage) -> BatchContents {
    var reader = BatchReader(bytes)
    return try reader.read()
  }

  /// The beginning of a batch, before its windows.
  struct Head {
    var id: Int64
    var origin: Int64
    /// The fleet time of the commit.
    var time: Timestamp
  }

  /// When a batch was committed.
  static func time(of bytes: [UInt8]) throws(Damage) -> Timestamp {
    var reader = BatchReader(bytes)
    return try reader.head().time
  }

  /// Reads only what keys there are, which allocates nothing once `keys` is large enough.
  static func head(of bytes: [UInt8], keys: inout BatchKeys) throws(Damage) -> Head {
    var reader = BatchReader(bytes)
    let head = try reader.head()
    keys.removeAll()
    for _ in 0..<3 * (try reader.count()) { try reader.skipNumber() }
    for _ in 0..<(try reader.count()) {
      let flags = try reader.byte()
      guard flags <= 1 else { throw Damage(finding: "a record with unknown flags") }
      if flags == 1 { keys.add(try reader.digest(), try reader.digest()) }
      try reader.skipNumber()
      for _ in 0..<(try reader.count()) { try reader.skipNumber() }
    }
    guard reader.position == bytes.count else { throw Damage(finding: "a batch with a tail") }
    return head
  }

  private mutating func head() throws(Damage) -> Head {
    let version = try byte()
    guard version == BatchWriter.version else {
      throw Damage(finding: "a batch of version \(version)")
    }
    return Head(
      id: try signed(), origin: try signed(), time: Timestamp(unixMilliseconds: try signed()))
  }

  private mutating func read() throws(Damage) -> BatchContents {
    let head = try head()
    var contents = BatchContents(
      id: head.id, origin: head.origin, time: head.time, windows: [], records: [])
    let windowCount = try count()
    contents.windows.reserveCapacity(windowCount)
    for _ in 0..<windowCount {
      contents.windows.append(
        BatchContents.Window(budget: try signed(), start: try signed(), end: try signed()))
    }
    let recordCount = try count()
    contents.records.reserveCapacity(recordCount)
    for _ in 0..<recordCount { contents.records.append(try record(windowCount: windowCount)) }
    guard position == bytes.count else { throw Damage(finding: "a batch with a tail") }
    return contents
  }

  private mutating func record(windowCount: Int) throws(Damage) -> BatchContents.Record {
    let flags = try byte()
    guard flags <= 1 else { throw Damage(finding: "a record with unknown flags") }
    let digest = flags == 1 ? try digest() : nil
    let fingerprint = flags == 1 ? try self.digest() : 0
    let amount = try number()
    guard amount <= UInt128(PicoUSD.maximumTotal.pico) else {
      throw Damage(finding: "an amount out of range")
    }
    var record = BatchContents.Record(
      digest: digest, fingerprint: fingerprint, amount: PicoUSD(pico: Int128(amount)), windows: [])
    let chargeCount = try count()
    record.windows.reserveCapacity(chargeCount)
    for _ in 0..<chargeCount {
      let window = try number()
      guard window < UInt128(windowCount) else {
        throw Damage(finding: "a charge to a window that is not there")
      }
      record.windows.append(Int(window))
    }
    return record
  }

  private mutating func byte() throws(Damage) -> UInt8 {
    guard position < bytes.count else { throw Damage(finding: "a batch that ends early") }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func skipNumber() throws(Damage) {
    while try byte() >= 0x80 {}
  }

  private mutating func number() throws(Damage) -> UInt128 {
    let first = try byte()
    if first < 0x80 { return UInt128(first) }
    position -= 1
    var value: UInt128 = 0
    for shift in stride(from: 0, to: 126, by: 7) {
      let next = try byte()
      value |= UInt128(next & 0x7F) << UInt128(shift)
      if next < 0x80 { return value }
    }
    throw Damage(finding: "a number without an end")
  }

  private mutating func signed() throws(Damage) -> Int64 {
    let value = UInt64(truncatingIfNeeded: try number())
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  /// A count of things that take a byte each at least, so that damage cannot reserve memory.
  private mutating func count() throws(Damage) -> Int {
    let value = try number()
    guard value <= UInt128(bytes.count) else { throw Damage(finding: "a count out of range") }
    return Int(value)
  }

  private mutating func digest() throws(Damage) -> UInt128 {
    guard position + 16 <= bytes.count else { throw Damage(finding: "a batch that ends early") }
    let (high, low) = (word(at: position), word(at: position + 8))
    position += 16
    return UInt128(high) << 64 | UInt128(low)
  }

  private func word(at start: Int) -> UInt64 {
    var word: UInt64 = 0
    for index in start..<start + 8 { word = word << 8 | UInt64(bytes[index]) }
    return word
  }
}
