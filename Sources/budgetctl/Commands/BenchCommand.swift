import ArgumentParser
import BudgetClient
import JSONWriting
import LoadTest

/// A load test of one's own server.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Loads a server of your own and shows how fast it answers.",
    discussion: """
      Every connection keeps --depth requests under way. filter: FilterDeployments of 8 deployments \
      and 2 tags. record: RecordSpend of 0 $ with a fresh idempotency key: no spend changes, but \
      windows open, and each key is remembered by the server for its 24 hours. mixed: both in \
      turns. The names are those of the server's budgets; the same 256 requests come again and \
      again, but for the keys.

      --fresh-tags: each request has one tag more that no request had before. Traffic that carries \
      the end user as a tag is like that. --denied: every candidate of every filter meets an \
      exhausted budget, as routers that ask again when money is out. Nothing is spent for it: the \
      server must have an exhausted budget already; budget_limit 0 makes one. An answer that allows \
      a candidate is then an error.

      --reserve: pairs of requests, of two kinds in turns of 0.2 s: filter, then record; and filter \
      with reserve, then the record that settles. Each kind gets --seconds. 0.000000000001 $ are held \
      at a time. The ratio says what reserving costs.

      bench and the server share the machine's processors when they run on one machine.
      Exits 1 when an answer was an error, and 69 when no answer came in the time that counts.
      """)

  @Option(help: ArgumentHelp("filter, record or mixed.", valueName: "work"))
  var work = BenchWork.filter

  @Option(
    help: ArgumentHelp(
      "Filters ask for this model of the server's model list and give no deployments; may be given "
        + "again for more.", valueName: "name"))
  var modelName: [String] = []

  @Flag(help: "Each request has a tag that was never seen: user: and 16 hexadecimal digits.")
  var freshTags = false

  @Flag(help: "Filters whose candidates are all over budget.")
  var denied = false

  @Flag(help: "Pairs of requests: plain ones, and such that reserve and settle.")
  var reserve = false

  @Option(help: ArgumentHelp("Connections, 1 to 10000.", valueName: "count"))
  var connections = 8

  @Option(help: ArgumentHelp("Requests under way on each, 1 to 4096.", valueName: "count"))
  var depth = 32

  @Option(help: ArgumentHelp("How long answers are counted.", valueName: "seconds"))
  var seconds = 5.0

  @Option(help: ArgumentHelp("How long requests are sent before that.", valueName: "seconds"))
  var warmUp = 1.0

  @Flag(
    name: .customLong("i-own-this-server"),
    help: "Load a server that is not on this machine's loopback addresses.")
  var ownsServer = false

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    func check(_ isFine: Bool, _ option: String, _ value: String, _ range: String) throws {
      if !isFine { throw ValidationError("--\(option) \(value): give \(range)") }
    }
    if denied, work != .filter {
      throw ValidationError("--denied goes with --work filter: records are never denied")
    }
    if reserve, denied || work != .filter {
      throw ValidationError("--reserve has work of its own: leave --work and --denied out")
    }
    try check((1...10_000).contains(connections), "connections", "\(connections)", "1 to 10000")
    try check((1...4_096).contains(depth), "depth", "\(depth)", "1 to 4096")
    try check((0.1...3_600).contains(seconds), "seconds", "\(seconds)", "0.1 to 3600")
    try check((0...600).contains(warmUp), "warm-up", "\(warmUp)", "0 to 600")
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    guard client.isLoopback || ownsServer else {
      throw Failure(
        "\(client.server) is not a loopback address: a load test takes all that a server has; say "
          + "--i-own-this-server if it is yours", .usage)
    }
    var plan = plan
    plan.names = try await names(from: client)
    if reserve { return try runPairs(plan, client) }
    let report: LoadReport
    do throws(BudgetClientError) {
      report = try client.load(plan)
    } catch {
      throw Failure(error, server: client.server)
    }
    guard !report.answers.isEmpty else { throw unanswered(report.unanswered, by: client.server) }
    let result = BenchReport(report, plan: plan)
    switch output {
    case .table: Terminal.write(lines: result.lines(columns: Terminal.current().columns))
    case .json: Terminal.write(lines: [result.json.text])
    }
    if result.errors > 0 {
      let what = denied ? "were errors or allowed a candidate" : "were errors"
      throw Failure("\(result.errors) answers of \(client.server) \(what)", .refused)
    }
    if !report.unanswered.isEmpty { throw unanswered(report.unanswered, by: client.server) }
  }

  private func runPairs(_ plan: LoadPlan, _ client: BudgetClient) throws(Failure) {
    let report: PairReport
    do throws(BudgetClientError) {
      report = try client.loadPairs(plan)
    } catch {
      throw Failure(error, server: client.server)
    }
    let result = PairBenchReport(report, plan: plan)
    guard result.answered + result.errors > 0 else {
      throw unanswered(["pair of requests"], by: client.server)
    }
    switch output {
    case .table: Terminal.write(lines: result.lines(columns: Terminal.current().columns))
    case .json: Terminal.write(lines: [result.json.text])
    }
    if result.errors > 0 {
      throw Failure("\(result.errors) pairs of \(client.server) had an error", .refused)
    }
  }

  /// The server answered, but `methods` not while answers were counted.
  private func unanswered(_ methods: [String], by server: String) -> Failure {
    Failure(
      "\(server) answered no \(methods.joined(separator: " and no ")) in the \(seconds) s that "
        + "count: it may be overloaded; give more --seconds, or fewer --connections or --depth",
      .unreachable)
  }

  /// The plan of the options, without the names.
  private var plan: LoadPlan {
    var plan = LoadPlan()
    plan.work = work.loadWork
    plan.connections = connections
    plan.depth = depth
    plan.duration = .seconds(seconds)
    plan.warmUp = .seconds(warmUp)
    plan.hasFreshTags = freshTags
    plan.expectsDenials = denied
    return plan
  }

  /// The names that requests carry: those of the first page of budgets; with --denied, of all
  /// budgets those that deny.
  private func names(from client: BudgetClient) async throws(Failure) -> LoadNames {
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = true
    request.includesTags = true
    var names: LoadNames?
    do throws(BudgetClientError) {
      // Whether models' deployments are denied, only the answers tell.
      if denied, modelName.isEmpty {
        names = LoadNames(denying: try await client.allBudgets(request))
      } else {
        names = LoadNames(try await client.getProviderBudgets(request))
      }
    } catch {
      throw Failure(error, server: client.server)
    }
    guard var names else {
      throw Failure(
        "--denied: no budget of \(client.server) is exhausted, so no filter is denied; give a "
          + "provider budget_limit: 0 in the config, or leave --denied out", .usage)
    }
    names.models = modelName
    return names
  }
}

/// The work of a load test.
enum BenchWork: String, ExpressibleByArgument, CaseIterable {
  case filter, record, mixed

  var loadWork: LoadPlan.Work {
    switch self {
    case .filter: .filter
    case .record: .record
    case .mixed: .mixed
    }
  }
}
