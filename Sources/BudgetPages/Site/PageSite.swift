import BudgetModel
import HTTPPort
import Locks

/// The site on the HTTP port: which path is which page.
final class PageSite: HTTPSite {
  /// The pages there are.
  enum Path: String, CaseIterable {
    case status = "/"
    case metrics = "/metrics"
    case health = "/healthz"
    case readiness = "/readyz"
    case providerBudgets = "/provider/budgets"
    case statusJSON = "/status.json"
    case historyJSON = "/history.json"
    case changesJSON = "/changes.json"
    case change = "/change"
  }

  /// How often a page was answered, and how.
  struct Answered: Hashable {
    var path: String
    var status: Int
  }

  private let sources: PageSources
  private let metrics: MetricsPage
  private let statusJSON: StatusJSONPage
  private let historyJSON: HistoryJSONPage
  private let changes: ChangesPage
  /// Metrics on their own: whoever plays with the status page keeps no scrape waiting.
  private let metricsRendering = SharedRendering(label: "budgetd.pages.metrics")
  private let otherRendering = SharedRendering(label: "budgetd.pages.other")
  /// Waits for the ledger's thread, and that for the disk: no other page waits with it.
  private let historyRendering = SharedRendering(label: "budgetd.pages.history")
  private let counts: PageCounts

  init(_ sources: PageSources) {
    self.sources = sources
    counts = PageCounts()
    metrics = MetricsPage(sources, pages: counts)
    statusJSON = StatusJSONPage(sources)
    historyJSON = HistoryJSONPage(sources)
    changes = ChangesPage(sources)
  }

  func answer(_ request: HTTPRequest, _ reply: HTTPReply) {
    let path = Path(rawValue: request.path)
    let verdict = sources.access?.verdict(request, for: path) ?? .allowed
    if verdict != .allowed, path == .change, request.method == "POST" {
      changes.noteRefused(request, verdict.words)
    }
    switch verdict {
    case .allowed: show(path, request, reply)
    case .denied(let why): reply.send(.text(why, status: .forbidden))
    case .unknown(let delay): reply.refuse(.unknownClient, after: delay)
    }
  }

  private func show(_ path: Path?, _ request: HTTPRequest, _ reply: HTTPReply) {
    guard let path else {
      let paths = Path.allCases.map { "  \($0.rawValue)" }.joined(separator: "\n")
      return reply.send(.text("no such page; there are:\n\(paths)", status: .notFound))
    }
    guard path.methods.contains(request.method) else {
      return reply.send(
        .text(
          "\(path.rawValue) takes \(path.methods.joined(separator: " and ")) only",
          status: .methodNotAllowed,
          headers: [("Allow", path.methods.joined(separator: ", "))]))
    }
    switch path {
    case .status: reply.send(StatusPage.response)
    case .health: reply.send(.text("ok"))
    case .readiness:
      reply.send(readiness(inOneWord: sources.access.map { !$0.maySayWhy(request) } ?? false))
    case .metrics:
      metricsRendering.ask("", reply) { [metrics] in metrics.response() }
    case .providerBudgets:
      otherRendering.ask(path.rawValue, reply) { [sources] in
        ProviderBudgetsPage.response(sources)
      }
    case .statusJSON, .historyJSON: answerStatus(path, request, reply)
    case .changesJSON:
      let (author, maySignIn) = (changes.author(of: request), changes.maySignIn(request))
      let key = "\(path.rawValue) \(maySignIn) \(author?.name ?? "")"
      historyRendering.ask(key, reply) { [changes] in
        changes.response(for: author, maySignIn: maySignIn)
      }
    case .change where request.method == "POST": changes.change(request, reply)
    case .change: changes.signIn(reply)
    }
  }

  private func readiness(inOneWord isShort: Bool) -> HTTPResponse {
    let node = sources.standing(sources.time.now())
    if isShort {
      return node.isReady ? .text("ready") : .text("unready", status: .serviceUnavailable)
    }
    let warnings = node.warnings.map { "\nwarning: \($0)" }.joined()
    return node.isReady
      ? .text("ready" + warnings)
      : .text(node.notReadyReasons.joined(separator: "\n") + warnings, status: .serviceUnavailable)
  }

  private func answerStatus(_ path: Path, _ request: HTTPRequest, _ reply: HTTPReply) {
    do throws(StatusQuery.Refusal) {
      let query = try StatusQuery(request)
      if path == .historyJSON {
        historyRendering.ask(query.key, reply) { [historyJSON] in historyJSON.response(to: query) }
      } else {
        otherRendering.ask("\(path.rawValue) \(query.key)", reply) { [statusJSON] in
          statusJSON.response(to: query)
        }
      }
    } catch {
      reply.send(.text(error.text, status: .badRequest))
    }
  }

  func answered(path: String?, status: HTTPStatus) {
    let known = path.flatMap(Path.init(rawValue:))
    counts.count(Answered(path: known?.rawValue ?? "_unknown", status: status.rawValue))
  }
}

extension PageSite.Path {
  /// The methods that it takes.
  fileprivate var methods: [String] {
    self == .change ? ["GET", "HEAD", "POST"] : ["GET", "HEAD"]
  }
}

extension PageVerdict {
  fileprivate var words: String {
    switch self {
    case .allowed: ""
    case .unknown: "they have not said who they are"
    case .denied(let why): why
    }
  }
}

/// How pages were answered so far.
final class PageCounts: Sendable {
  private let counts = Locked<[PageSite.Answered: Int]>([:])

  func count(_ answered: PageSite.Answered) { counts.withLock { $0[answered, default: 0] += 1 } }

  /// By path and status, in order.
  var all: [(PageSite.Answered, Int)] {
    counts.withLock { $0 }.sorted { ($0.key.path, $0.key.status) < ($1.key.path, $1.key.status) }
      .map { ($0.key, $0.value) }
  }
}
