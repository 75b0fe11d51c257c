import ArgumentParser
import BudgetClient
import JSONWriting

/// Records what a reserved request cost.
struct SettleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settle", abstract: "Records what a request cost, and frees what was held for it.",
    discussion: """
      The cost is recorded in full, whatever was held, and also when the reservation has ended. Under \
      the same id and cost it counts once. Exits 70 when no one can say whether it is recorded: settle \
      it again then.
      """)

  @OptionGroup var reservation: ReservationArgument

  @Option(parsing: .unconditional, help: ArgumentHelp("What the request cost.", valueName: "usd"))
  var cost: Double

  @OptionGroup var charge: ChargeOptions

  @Option(
    help: ArgumentHelp(
      "Names the record, so that a repetition can be told; made of the id if not given.",
      valueName: "key"))
  var key: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws { try Dollars.check(cost, option: "--cost") }

  func run() async throws {
    let client = try server.client(root: root.server)
    var request = charge.record(of: cost)
    request.idempotencyKey = key ?? ""
    request.reservationID = reservation.id
    try await RecordCommand.record(request, with: client, output: output)
  }
}

/// Gives a reservation back.
struct ReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Gives a reservation back: nothing was spent for it.",
    discussion:
      "Exits 1 where it was not open: settled, released, its time over, or of another node.")

  @OptionGroup var reservation: ReservationArgument
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let client = try server.client(root: root.server)
    let wasOpen: Bool
    do throws(BudgetClientError) {
      wasOpen = try await client.releaseReservation(reservation.id)
    } catch {
      throw Failure(error, server: client.server)
    }
    guard wasOpen else {
      throw Failure(
        "\(reservation.id.printable) was not open at \(client.server): it was settled or released, or "
          + "its time was over", .refused)
    }
    Terminal.write(lines: ["released"])
  }
}

/// Lets a reservation end later.
struct ExtendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extend", abstract: "Lets a reservation end later than it would.")

  @OptionGroup var reservation: ReservationArgument
  @OptionGroup var time: TTLOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let until = try await client.extendReservation(
        reservation.id, ttlMilliseconds: time.milliseconds)
      let left = HumanText.duration(from: BudgetsCommand.now(), to: until)
      Terminal.write(lines: ["held for another \(left)"])
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}

/// Which reservation a command is about.
struct ReservationArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The reservation's id, as `reserve` printed it.", valueName: "id"))
  var id: String

  func validate() throws {
    if id.isEmpty { throw ValidationError("the id is empty: give what `reserve` printed") }
  }
}
