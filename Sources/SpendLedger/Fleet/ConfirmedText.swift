import BudgetModel

/// The confirmed amounts, as one text: `origin=dollars` apart by blanks, sorted by origin.
enum ConfirmedText {
  /// More origins are not kept: those with the least are left out, which only makes it harder to
  /// tell, after the store has lost its own notes, what it had counted.
  static let originBound = 1_024
  /// Longer texts are not such texts; the table checks the same.
  static let byteBound = 65_536
  /// `node id "." 8 hexadecimal digits`.
  private static let originBytes = 17

  static func text(_ confirmed: [String: PicoUSD]) -> String {
    var kept = confirmed.filter { isOrigin($0.key) && isAmount($0.value) }
    if kept.count > originBound {
      kept = Dictionary(
        uniqueKeysWithValues: kept.sorted { ($0.value, $0.key) > ($1.value, $1.key) }
          .prefix(originBound).map { ($0.key, $0.value) })
    }
    return kept.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.exactText)" }
      .joined(separator: " ")
  }

  /// Reads a text as `text` writes it; nil: it is not such a text.
  static func confirmed(in text: String) -> [String: PicoUSD]? {
    guard text.utf8.count <= byteBound else { return nil }
    var confirmed: [String: PicoUSD] = [:]
    if text.isEmpty { return confirmed }
    for part in text.split(separator: " ", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", omittingEmptySubsequences: false)
      guard pair.count == 2, confirmed.count < originBound else { return nil }
      let origin = String(pair[0])
      guard isOrigin(origin), let amount = amount(pair[1]), confirmed[origin] == nil else {
        return nil
      }
      confirmed[origin] = amount
    }
    return confirmed
  }

  private static func isOrigin(_ text: String) -> Bool {
    text.utf8.count == originBytes
      && text.utf8.allSatisfy { byte in
        byte == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
      }
  }

  private static func isAmount(_ amount: PicoUSD) -> Bool {
    amount >= .zero && amount <= .maximumTotal
  }

  /// Dollars with up to twelve decimals, written as `exactText` writes them and no other way.
  private static func amount(_ text: Substring) -> PicoUSD? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let dollars = Int64(parts[0]), dollars >= 0 else { return nil }
    var rest: Int64 = 0
    if parts.count == 2 {
      let missing = PicoUSD.decimals - parts[1].utf8.count
      guard missing >= 0, let digits = Int64(parts[1] + String(repeating: "0", count: missing))
      else { return nil }
      rest = digits
    }
    guard rest >= 0, rest < Int64(PicoUSD.picoPerDollar) else { return nil }
    let amount = PicoUSD(wholeDollars: dollars, restPico: rest)
    return isAmount(amount) && amount.exactText == text ? amount : nil
  }
}
