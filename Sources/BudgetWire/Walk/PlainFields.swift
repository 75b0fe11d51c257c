/// The fields of a message that are stepped over quickly, as long as they are framed as nearly all
/// are: a key of one byte, a length of one byte. Where `skip` stops, for whatever reason, `WireCursor`
/// goes on, and finds whatever is wrong.
struct PlainFields {
  /// Bit n: field n is a text that may stand once.
  private var texts: UInt32 = 0
  /// Bit n: field n is a double that may stand once.
  private var doubles: UInt32 = 0
  /// The field that is a text that may stand again and again; 0: there is none.
  private(set) var list: UInt32 = 0

  /// What a record is charged to: its fields before the cost.
  static let recordSubject = PlainFields(.recordSpend, upTo: 4)
  private static let deployment = PlainFields(.deployment)
  private static let recordSpend = PlainFields(.recordSpend)
  private static let reserveSpend = PlainFields(.reserveSpend)

  private init(_ kind: MessageKind, upTo last: UInt32 = 7) {
    for number: UInt32 in 1...last {
      guard let rule = FieldRule.rule(for: number, of: kind), !rule.holdsMessage else { continue }
      switch (rule.wireType, rule.occurrence) {
      case (2, .once): texts |= 1 << number
      case (1, .once): doubles |= 1 << number
      case (2, _): list = number
      default: break
      }
    }
  }

  /// What is plain in a message of `kind`; nil: not worth a look.
  @inline(__always)
  static func of(_ kind: MessageKind) -> PlainFields? {
    switch kind {
    case .deployment: deployment
    case .recordSpend: recordSpend
    case .reserveSpend: reserveSpend
    default: nil
    }
  }

  /// Steps over plain fields from `start` on and says where it stopped, at `end` or before a field.
  /// Bit n of `seen` says that field n has stood; `listed` counts entries of the list.
  @inline(__always)
  func skip(
    in bytes: borrowing RawSpan, from start: Int, to end: Int, seen: inout UInt32,
    listed: inout Int32
  ) -> Int {
    var offset = start
    while end - offset >= 2 {
      let key = bytes.byte(at: offset)
      let number = UInt32(key >> 3)
      // A key of more bytes has a number from 16 on: no mask has its bit.
      let bit: UInt32 = 1 << number
      var next = offset + 9
      if key & 7 == 2 {
        let length = bytes.byte(at: offset + 1)
        if length >= 0x80 { break }
        next = offset + 2 + Int(length)
        if next > end { break }
        if number == list, number != 0 {
          listed += 1
          offset = next
          continue
        }
        if texts & bit == 0 { break }
      } else if key & 7 != 1 || doubles & bit == 0 || next > end {
        break
      }
      if seen & bit != 0 { break }
      seen |= bit
      offset = next
    }
    return offset
  }
}
