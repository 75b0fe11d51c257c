import BudgetModel

extension PicoUSD {
  /// The amount as the status page shows it, with the page's own rule: `$1,234.50`, cut to cents,
  /// below a dollar to three digits that count. Never more than there is, and nothing that is not
  /// zero looks like it.
  var pageText: String {
    let parts = exactText.split(separator: ".")
    let digits = parts[0].drop { $0 == "-" }
    var decimals = parts.count > 1 ? String(parts[1]) : ""
    var kept = 2
    if digits == "0", let first = decimals.firstIndex(where: { $0 != "0" }) {
      kept = max(2, decimals.distance(from: decimals.startIndex, to: first) + 3)
    }
    decimals = String(decimals.prefix(kept))
    while decimals.last == "0" { decimals.removeLast() }
    while decimals.count < 2 { decimals += "0" }
    var grouped = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { grouped.append(",") }
      grouped.append(digit)
    }
    return (self < .zero ? "-$" : "$") + grouped + "." + decimals
  }
}
