public import BudgetModel
public import HTTPPort

/// Changes that operators make from the page, and what was changed lately.
public struct PageChanges: Sendable {
  /// Who asks, and whether they may change budgets.
  public var asker: @Sendable (HTTPRequest) -> (author: ChangeAuthor, mayChange: Bool)
  /// The lines of the audit since then, the newest first; nil: the ledger does not answer. May wait for
  /// the disk.
  public var audit: @Sendable (Timestamp) -> [AuditEntry]?
  /// Makes a change in its turn, and tells how it went.
  public var make: @Sendable (PageOrder, @escaping @Sendable (PageOutcome) -> Void) -> Void
  /// Writes down what was asked for and refused, why, and from where.
  public var refused: @Sendable (_ action: String, _ author: ChangeAuthor, _ why: String) -> Void

  /// Makes them of their parts.
  public init(
    asker: @escaping @Sendable (HTTPRequest) -> (author: ChangeAuthor, mayChange: Bool),
    audit: @escaping @Sendable (Timestamp) -> [AuditEntry]?,
    make: @escaping @Sendable (PageOrder, @escaping @Sendable (PageOutcome) -> Void) -> Void,
    refused: @escaping @Sendable (String, ChangeAuthor, String) -> Void
  ) {
    (self.asker, self.audit, self.make, self.refused) = (asker, audit, make, refused)
  }
}

/// A change that somebody wants to make from the page.
public struct PageOrder: Equatable, Sendable {
  /// The thing to be done.
  public enum Deed: Equatable, Sendable {
    /// The limit in force and so much more, until then.
    case raise(by: PicoUSD, until: Timestamp)
    case freeze
    case unfreeze
    case reset(to: PicoUSD)
  }

  /// The budget; a freeze is of its name.
  public var target: BudgetKey
  /// The thing to be done.
  public var deed: Deed
  /// Why.
  public var reason: String
  /// Who wants it.
  public var author: ChangeAuthor
}

/// How a change from the page went.
public enum PageOutcome: Equatable, Sendable {
  /// It is on disk and in force, in words.
  case done(String)
  /// Nothing was changed, and why.
  case refused(String)
  /// Not now, and why; it may be on disk all the same where the text says so.
  case unavailable(String)
}

extension PageOrder {
  /// Why a form is no order.
  struct Fault: Error, Equatable {
    var text: String
  }

  /// Amounts of a form: plain decimals.
  private static let amountBytes = 40

  /// Reads a form's fields.
  init(form request: HTTPRequest, by author: ChangeAuthor) throws(Fault) {
    func field(_ name: String) throws(Fault) -> String {
      guard let value = request.formValue(of: name) else {
        throw Fault(text: "the form has no \(name), or it is no UTF-8")
      }
      return value
    }
    let scopeName = try field("scope")
    guard let scope = BudgetScope.allCases.first(where: { $0.description == scopeName }) else {
      throw Fault(
        text: "scope: give \(BudgetScope.inOrder.map(\.description).joined(separator: ", "))")
    }
    reason = try field("reason")
    guard reason.contains(where: { !$0.isWhitespace }) else {
      throw Fault(text: "reason: say why; it stands in the audit")
    }
    self.author = author
    target = BudgetKey(scope: scope, name: try field("name"), windowText: try field("window"))
    let action = try field("action")
    switch action {
    case "raise":
      guard let milliseconds = Int64(try field("until")) else {
        throw Fault(text: "until: give Unix milliseconds")
      }
      deed = .raise(
        by: try Self.amount(try field("amount")), until: Timestamp(unixMilliseconds: milliseconds))
    case "freeze": deed = .freeze
    case "unfreeze": deed = .unfreeze
    case "reset": deed = .reset(to: try Self.amount(try field("amount")))
    default: throw Fault(text: "action: give raise, freeze, unfreeze or reset")
    }
  }

  private static func amount(_ text: String) throws(Fault) -> PicoUSD {
    guard text.utf8.count <= amountBytes, let amount = PicoUSD(exactText: text),
      amount >= .zero, amount <= .maximumRecord
    else { throw Fault(text: "amount: give US dollars, such as 12.50") }
    return amount
  }
}
