import ArgumentParser
import BudgetClient
import BudgetModel
import JSONWriting

/// Who answers, and how it is.
struct PingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ping", abstract: "Asks the server who it is and whether it is ready.",
    discussion: "Exits 1 when it answers but is not ready.")

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let client = try server.client(root: root.server)
    let response: PingResponse
    do throws(BudgetClientError) {
      response = try await client.ping()
    } catch {
      throw Failure(error, server: client.server)
    }
    switch output {
    case .table: Terminal.write(lines: Self.lines(response, server: client.server))
    case .json: Terminal.write(lines: [Self.json(response).text])
    }
    if !response.isReady {
      throw Failure("\(client.server) is not ready: \(response.notReadyReason)", .refused)
    }
  }

  static func lines(_ response: PingResponse, server: String) -> [String] {
    // All that a server with an access file says to who has not said who they are.
    if response.version.isEmpty {
      return [
        "budgetd at \(server)", "ready       \(response.isReady ? "yes" : "no")",
        "role        none: say who you are with --token-file to see more",
      ]
    }
    let store =
      switch response.storeState {
      case "none": "none: this node keeps its budgets alone"
      case "ok": "Redis, reachable"
      case "partitioned": "Redis, NOT reachable: budgets are this node's view"
      default: response.storeState.printable
      }
    let durability =
      switch response.durability {
      case "commit": "commit: an answer means it is on disk"
      case "memory": "memory: on disk within 100 ms of the answer"
      case "none": "none: spend is gone when the process ends"
      default: response.durability.printable
      }
    let keys =
      response.idempotencyHorizonUnixMilliseconds.map {
        "remembered back to \(Timestamp(showable: $0)?.iso8601 ?? "an instant out of range")"
      } ?? "not remembered"
    return [
      "budgetd \(response.version.printable) at \(server)",
      "node        \(response.nodeID.printable)",
      "ready       "
        + (response.isReady ? "yes" : "no: \(response.notReadyReason.printable)"),
      "durability  \(durability)",
      "store       \(store)",
      "keys        \(keys)",
    ]
      + (response.methods.isEmpty
        ? []
        : ["methods     \(response.methods.joined(separator: ", ").printable)"])
      + (response.role.isEmpty ? [] : ["role        \(response.role.printable)"])
      + (response.isInsecureNetwork
        ? [
          "network     NOT SAFE: other machines reach it unencrypted, or without saying who they are"
        ]
        : [])
  }

  static func json(_ response: PingResponse) -> JSONValue {
    .object([
      ("version", .string(response.version)),
      ("node_id", .string(response.nodeID)),
      ("ready", .bool(response.isReady)),
      ("not_ready_reason", .string(response.notReadyReason)),
      ("durability", .string(response.durability)),
      ("store_state", .string(response.storeState)),
      ("idempotency_horizon", .instant(response.idempotencyHorizonUnixMilliseconds)),
      ("methods", .array(response.methods.map(JSONValue.string))),
      ("role", .string(response.role)),
      ("insecure_network", .bool(response.isInsecureNetwork)),
    ])
  }
}
