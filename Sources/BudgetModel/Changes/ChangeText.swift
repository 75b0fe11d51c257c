/// A change as one line of text: in the ledger, and in Redis, where every node reads it.
///
/// Thirteen fields apart by tabs. Names, reasons and authors have no control characters, so that
/// nothing needs an escape. A line of another form was written by another release, and is left alone.
extension BudgetChange {
  /// The first field of every line of this form.
  private static let form = "1"
  private static let fieldCount = 13
  /// Longer lines are not changes: three names, a reason and an author fit many times.
  static let longestText = 2_048
  /// Versions further ahead would keep every other change of the register out for ever.
  private static let latestMilliseconds = Timestamp.latest.unixMilliseconds

  /// The line.
  public var text: String {
    let value: String
    switch setting {
    case .limit(let limit): value = limit?.exactText ?? "none"
    case .mode(let mode): value = mode.description
    case .reset(let amount): value = amount.exactText
    case .cleared: value = "cleared"
    }
    let target = register.target
    let fields = [
      Self.form, register.matter.word, value, until.map { "\($0.unixMilliseconds)" } ?? "",
      "\(madeAt.unixMilliseconds)", "\(version.milliseconds)", version.node,
      target.scope.description, target.name, target.windowText, author.name, author.place, reason,
    ]
    return fields.joined(separator: "\t")
  }

  /// Reads a line; nil: it is not one that `text` writes.
  public init?(text: String) {
    guard text.utf8.count <= Self.longestText else { return nil }
    let fields = text.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == Self.fieldCount, fields[0] == Self.form,
      fields.allSatisfy({ $0.isChangeField }),
      let matter = Matter(word: fields[1]), let setting = Setting(matter, fields[2]),
      let madeAt = Self.time(fields[4]), let milliseconds = Int64(fields[5]),
      (0...Self.latestMilliseconds).contains(milliseconds), Self.isNode(fields[6]),
      let scope = BudgetScope(word: fields[7]), !fields[8].isEmpty,
      fields[8].utf8.count <= NameBytes.maximumLength,
      fields[9].utf8.count <= NameBytes.maximumLength, fields[9].isEmpty == (matter == .mode),
      fields[12].utf8.count <= Self.longestReason
    else { return nil }
    var until: Timestamp?
    if !fields[3].isEmpty {
      guard let time = Self.time(fields[3]) else { return nil }
      until = time
    }
    self.init(
      Register(
        matter, BudgetKey(scope: scope, name: fields[8], windowText: fields[9])), setting,
      until: until, reason: fields[12], by: ChangeAuthor(name: fields[10], place: fields[11]),
      at: madeAt, version: ChangeVersion(milliseconds: milliseconds, node: fields[6]))
    // One spelling of each change: texts decide between equal versions.
    guard self.text.utf8.elementsEqual(text.utf8) else { return nil }
  }

  private static func time(_ text: String) -> Timestamp? {
    Int64(text).flatMap {
      (0...latestMilliseconds).contains($0) ? Timestamp(unixMilliseconds: $0) : nil
    }
  }

  private static func isNode(_ text: String) -> Bool { (1...64).contains(text.utf8.count) }
}

extension String {
  /// Whether a change may have the text in a field: no control characters.
  public var isChangeField: Bool {
    unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
  }
}

extension BudgetChange.Matter: CustomStringConvertible {
  /// The matter in one lower-case word.
  public var description: String { word }

  /// The matter as lines name it.
  var word: String {
    switch self {
    case .limit: "limit"
    case .mode: "mode"
    case .reset: "reset"
    }
  }

  init?(word: String) {
    guard let matter = Self.allCases.first(where: { $0.word == word }) else { return nil }
    self = matter
  }
}

extension BudgetChange.Setting {
  fileprivate init?(_ matter: BudgetChange.Matter, _ value: String) {
    func amount() -> PicoUSD? {
      PicoUSD(exactText: value).flatMap { $0 >= .zero && $0 <= .maximumRecord ? $0 : nil }
    }
    switch matter {
    case .limit where value == "cleared", .mode where value == "cleared": self = .cleared
    case .limit where value == "none": self = .limit(nil)
    case .limit:
      guard let amount = amount() else { return nil }
      self = .limit(amount)
    case .mode:
      guard let mode = BudgetMode.allCases.first(where: { $0.description == value }) else {
        return nil
      }
      self = .mode(mode)
    case .reset:
      guard let amount = amount() else { return nil }
      self = .reset(to: amount)
    }
  }
}
