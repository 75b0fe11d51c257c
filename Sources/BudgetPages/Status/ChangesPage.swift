import BudgetModel
import HTTPPort
import JSONWriting

/// `/changes.json`: what was changed in the last 24 hours, and what whoever asks may change; and
/// `/change`, where the page's form is posted.
final class ChangesPage: Sendable {
  private let sources: PageSources
  private let token = FormToken()

  private static let shownMilliseconds: Int64 = 86_400_000
  /// So many lines are shown, the newest.
  private static let linesShown = 200

  init(_ sources: PageSources) { self.sources = sources }

  /// The name of who asks, if they may change budgets from here; nil: they may only look.
  func author(of request: HTTPRequest) -> ChangeAuthor? {
    guard let access = sources.access, !access.arePagesOpen || access.seesMore(request),
      let asker = sources.changes?.asker(request), asker.mayChange
    else { return nil }
    return asker.author
  }

  /// Whether who asks has not said who they are, and need not have: administrators do by `/change`, which
  /// is nobody's without it.
  func maySignIn(_ request: HTTPRequest) -> Bool {
    guard let access = sources.access, sources.changes != nil else { return false }
    return access.arePagesOpen && request.credential == nil && request.certificateNames.isEmpty
  }

  /// Somebody has said who they are, to change budgets from the page: there it is.
  func signIn(_ reply: HTTPReply) {
    guard sources.access != nil else { return reply.send(Self.changesNothing) }
    reply.send(
      .text("you have signed in: go on at /", status: .seeOther, headers: [("Location", "/")]))
  }

  private static var changesNothing: HTTPResponse {
    .text(
      "this page changes nothing: give budgetd an access file (--access-file) with a client whose role "
        + "is admin, or use budgetctl", status: .forbidden)
  }

  /// A posted form was turned away before it was read.
  func noteRefused(_ request: HTTPRequest, _ why: String) {
    guard let changes = sources.changes else { return }
    changes.refused(Self.action(request), changes.asker(request).author, why)
  }

  private static func action(_ request: HTTPRequest) -> String {
    "page: \((request.formValue(of: "action") ?? "").prefix(20))"
  }

  /// The lines of the audit for whoever `author` is; nil: they may only look.
  func response(for author: ChangeAuthor?, maySignIn: Bool) -> HTTPResponse {
    let now = sources.time.now()
    let since = Timestamp(unixMilliseconds: now.unixMilliseconds - Self.shownMilliseconds)
    let lines = sources.changes?.audit(since) ?? []
    var text = JSONText(capacity: 1_024 + 256 * lines.count)
    text.object { text in
      text.add("now_unix_ms", now.unixMilliseconds)
      text.add("is_known", sources.changes != nil)
      text.add("token", author.map { token.text(for: $0.name) })
      text.add("author", author?.name)
      text.add("may_sign_in", maySignIn)
      text.array("lines") { text in
        for line in lines.prefix(Self.linesShown) { Self.append(line, to: &text) }
      }
    }
    return HTTPResponse(
      contentType: "application/json; charset=utf-8", body: HTTPBody(text.bytes))
  }

  private static func append(_ line: AuditEntry, to text: inout JSONText) {
    text.object { text in
      text.add("at_unix_ms", line.at.unixMilliseconds)
      text.add("action", line.action)
      text.add("author", line.author.name)
      text.add("place", line.author.place)
      text.add("node_id", line.node)
      text.add("scope", line.target?.scope.description)
      text.add("name", line.target?.name)
      text.add("window", line.target?.windowText)
      text.add("before", line.before)
      text.add("after", line.after)
      text.add("reason", line.reason)
      text.add("refusal", line.refusal)
    }
  }

  /// Makes the change that a form asks for. Whoever posts it may see pages.
  func change(_ request: HTTPRequest, _ reply: HTTPReply) {
    guard let changes = sources.changes, sources.access != nil else {
      return reply.send(Self.changesNothing)
    }
    let asker = changes.asker(request)
    let author = asker.author
    func refuse(_ why: String, _ status: HTTPStatus = .forbidden) {
      changes.refused(Self.action(request), author, why)
      reply.send(.text(why, status: status))
    }
    guard asker.mayChange else { return refuse("changing budgets needs the role admin") }
    guard request.isOfThisSite else {
      return refuse("the form was posted by a page of \(request.origin.prefix(100))")
    }
    guard token.isRight(request.formValue(of: "token") ?? "", for: author.name) else {
      return refuse(
        "the form is not of this page, or the server has started anew: load the page again")
    }
    do throws(PageOrder.Fault) {
      let order = try PageOrder(form: request, by: author)
      changes.make(order) { outcome in
        switch outcome {
        case .done(let words): reply.send(.text(words))
        case .refused(let why): reply.send(.text(why, status: .badRequest))
        case .unavailable(let why): reply.send(.text(why, status: .serviceUnavailable))
        }
      }
    } catch {
      refuse(error.text, .badRequest)
    }
  }
}

extension HTTPRequest {
  /// Whether the page that posts is of the host that is asked. Not every browser says so: the token
  /// decides.
  fileprivate var isOfThisSite: Bool {
    if origin.isEmpty { return true }
    let authority = origin.split(separator: "/", omittingEmptySubsequences: true).last ?? ""
    return origin.contains("://") && authority.lowercased() == host.lowercased()
  }
}
