/// Reads the forms that YAML 1.1 has for dates and instants.
enum YAMLTimestampForm {
  /// The date or instant, not yet known to exist; nil where the form is another.
  static func read(_ text: String) -> DocumentTimestamp? {
    var scanner = Scanner(bytes: Array(text.utf8))
    return scanner.timestamp()
  }

  private struct Scanner {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func timestamp() -> DocumentTimestamp? {
      guard let year = digits(4...4), skip("-"), let month = digits(1...2), skip("-"),
        let day = digits(1...2)
      else { return nil }
      var timestamp = DocumentTimestamp(year: year, month: month, day: day, time: nil)
      if index == bytes.count { return timestamp }
      guard skip("T") || skip("t") || skipBlanks() else { return nil }
      guard let hour = digits(1...2), skip(":"), let minute = digits(2...2), skip(":"),
        let second = digits(2...2)
      else { return nil }
      var time = DocumentTimestamp.Time(
        hour: hour, minute: minute, second: second, microsecond: 0, offsetMinutes: nil)
      if skip(".") { time.microsecond = microsecond() }
      guard let offset = zone() else { return nil }
      time.offsetMinutes = offset
      timestamp.time = time
      return index == bytes.count ? timestamp : nil
    }

    /// The first six digits of the fraction; more are dropped.
    private mutating func microsecond() -> Int {
      var value = 0
      var count = 0
      while let digit = digits(1...1) {
        if count < 6 { value = value * 10 + digit }
        count += 1
      }
      while count < 6 {
        value *= 10
        count += 1
      }
      return value
    }

    /// Minutes east of Greenwich; an inner nil where the text ends without a zone.
    private mutating func zone() -> Int?? {
      if index == bytes.count { return .some(nil) }
      _ = skipBlanks()
      if skip("Z") { return .some(0) }
      let isWest = skip("-")
      guard isWest || skip("+"), let hours = digits(1...2) else { return nil }
      var minutes = 0
      if skip(":") {
        guard let read = digits(2...2) else { return nil }
        minutes = read
      }
      let offset = hours * 60 + minutes
      return .some(isWest ? -offset : offset)
    }

    private mutating func digits(_ lengths: ClosedRange<Int>) -> Int? {
      let start = index
      var value = 0
      while index < bytes.count, index - start < lengths.upperBound,
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index])
      {
        value = value * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        index += 1
      }
      return index - start >= lengths.lowerBound ? value : nil
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
      index += 1
      return true
    }

    private mutating func skipBlanks() -> Bool {
      let start = index
      while skip(" ") || skip("\t") {}
      return index > start
    }
  }
}
