/// The fields of a message that are stepped over quickly, as long as they are framed as nearly all
/// are: a key of one byte, a length of one byte. Where `skip` stops, for whatever reason, `WireCursor`
/// goes on, and finds whatever is wrong.
struct PlainFields {
  /// Field numbers whose key is one byte. Such a field's place is its number.
  private static let numbers: ClosedRange<UInt32> = 1...15

  /// Texts that may stand once.
  private var texts: FieldSet = 0
  /// Doubles that may stand once.
  private var doubles: FieldSet = 0
  /// The number of a list of texts; 0: the message has no such list.
  private var list: UInt32 = 0
  /// That list's index in `ListCounts`.
  private(set) var listPlace = 0

  private static let deployment = PlainFields(.deployment)
  private static let recordSpend = PlainFields(.recordSpend)
  private static let reserveSpend = PlainFields(.reserveSpend)

  private init(_ kind: MessageKind) {
    for number in Self.numbers {
      guard let rule = FieldRule.rule(for: number, of: kind), !rule.holdsMessage else { continue }
      switch (rule.wireType, rule.occurrence) {
      case (2, .once): texts |= 1 << number
      case (1, .once): doubles |= 1 << number
      case (2, _):
        list = number
        listPlace = Int(rule.place)
      default: break
      }
    }
  }

  /// The plain fields of a message of `kind`; nil: such a message is not worth a look.
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
  /// `seen` has the singular fields that have stood; `listed` counts entries of the list.
  @inline(__always)
  func skip(
    in bytes: borrowing RawSpan, from start: Int, to end: Int, seen: inout FieldSet,
    listed: inout Int32
  ) -> Int {
    var offset = start
    while end - offset >= 2 {
      let key = bytes.byte(at: offset)
      let number = UInt32(key >> 3)
      // A key of more bytes has a number from 16 on: no mask has its bit.
      let bit: FieldSet = 1 << number
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
