/// Why a name can match no budget.
public enum NameFault: UInt8, CaseIterable, Hashable, Sendable {
  /// More than 256 bytes.
  case tooLong
  /// Bytes that are not UTF-8.
  case notUTF8
  /// A control character: U+0000 to U+001F, U+007F to U+009F.
  case controlCharacter

  /// The fault as metrics name it.
  public var label: String {
    switch self {
    case .tooLong: "too_long"
    case .notUTF8: "not_utf8"
    case .controlCharacter: "control_character"
    }
  }
}

extension NameFault: CustomStringConvertible {
  /// The fault in a few words, behind "the name".
  public var description: String {
    switch self {
    case .tooLong: "is longer than \(NameBytes.maximumLength) bytes"
    case .notUTF8: "is not UTF-8"
    case .controlCharacter: "has control characters"
    }
  }
}

extension NameBytes {
  /// Why the name can match no budget; nil: it can. A name that is too long is not looked into.
  public var fault: NameFault? { count > Self.maximumLength ? .tooLong : textFault }
}
