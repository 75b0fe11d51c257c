import ArgumentParser
import BudgetClient
import JSONWriting

/// Holds an amount back.
struct ReserveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reserve",
    abstract: "Holds an amount back in every budget that a cost would go to.",
    discussion: """
      Prints the reservation's id, then how much is held and for how long. `settle` it with what the \
      request cost, or `release` it; after its time it ends by itself. Exits 2 where a budget has no \
      room: then nothing is held.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much; what such requests have cost, if not given.", valueName: "usd"))
  var amount: Double?

  @OptionGroup var charge: ChargeOptions
  @OptionGroup var time: TTLOptions

  @Option(
    help: ArgumentHelp(
      "Names the reservation, so that a repetition can be told.", valueName: "key"))
  var key: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    if let amount { try Dollars.check(amount, option: "--amount") }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let response: ReserveSpendResponse
    do throws(BudgetClientError) {
      response = try await client.reserveSpend(request)
    } catch {
      throw Failure(error, server: client.server)
    }
    if response.isExhausted { throw Failure(response.message, .overBudget) }
    guard let held = response.reservation else {
      throw Failure("\(client.server) holds nothing, and does not say why", .refused)
    }
    switch output {
    case .table: Terminal.write(lines: Self.lines(held, now: BudgetsCommand.now()))
    case .json:
      let json = JSONValue.object([
        ("reservation_id", .string(held.id)), ("reserved_usd", .number(held.amountUSD)),
        ("expires_at", .instant(held.expiresAtUnixMilliseconds)),
      ])
      Terminal.write(lines: [json.text])
    }
  }

  private var request: ReserveSpendRequest {
    let names = charge.record(of: 0)
    var request = ReserveSpendRequest(amountUSD: amount ?? 0)
    request.provider = names.provider
    request.deploymentID = names.deploymentID
    request.model = names.model
    request.modelName = names.modelName
    request.tags = names.tags
    request.ttlMilliseconds = time.milliseconds
    request.idempotencyKey = key ?? ""
    return request
  }

  static func lines(_ held: SpendReservation, now: Int64) -> [String] {
    let left = HumanText.duration(from: now, to: held.expiresAtUnixMilliseconds)
    return [held.id.printable, "reserved \(HumanText.money(held.amountUSD)), for \(left)"]
  }
}

/// For how long something is held.
struct TTLOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How long from now it is held, 1 to 3600; 120 if not given.", valueName: "seconds"))
  var ttl: Double?

  func validate() throws {
    guard let ttl, !(1...3_600).contains(ttl) else { return }
    throw ValidationError("--ttl \(ttl): give 1 to 3600 seconds")
  }

  /// As requests have it; 0: not given.
  var milliseconds: UInt32 { UInt32(((ttl ?? 0) * 1_000).rounded()) }
}
