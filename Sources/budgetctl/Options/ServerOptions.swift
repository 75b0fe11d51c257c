import ArgumentParser
import BudgetClient
import Foundation

/// Which server, and how long to wait for it.
struct ServerOptions: ParsableArguments {
  static let standardServer = "127.0.0.1:7077"
  static let standardTimeoutSeconds = 5.0

  @Option(
    help: ArgumentHelp(
      "Where budgetd listens (default: $BUDGETD_SERVER, else 127.0.0.1:7077).",
      valueName: "host:port | unix:path"))
  var server: String?

  @Option(
    help: ArgumentHelp(
      "A file whose first line is the token that says who this is (default: $BUDGETD_TOKEN_FILE).",
      valueName: "file"),
    completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp("How long to wait for an answer (default: 5).", valueName: "seconds"))
  var timeout: Double?

  @OptionGroup var encryption: EncryptionOptions

  func validate() throws {
    if let timeout, !(timeout >= 0.001 && timeout <= 86_400) {
      throw ValidationError("--timeout \(timeout): give 0.001 to 86400 seconds")
    }
  }

  /// A client as these options say, else those that stood before the subcommand, else the
  /// environment.
  func client(
    root: ServerOptions,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(Failure) -> BudgetClient {
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    let server =
      self.server ?? root.server ?? variable("BUDGETD_SERVER") ?? Self.standardServer
    var settings = BudgetClientSettings()
    let token = tokenFile ?? root.tokenFile ?? variable("BUDGETD_TOKEN_FILE")
    settings.token = token.map { .file($0) }
    settings.timeout = .seconds(timeout ?? root.timeout ?? Self.standardTimeoutSeconds)
    settings.security = encryption.security(root: root.encryption, environment: environment)
    do throws(BudgetClientError) {
      return try BudgetClient(server: server, settings: settings)
    } catch {
      throw Failure(error, server: server)
    }
  }
}

/// How results are written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  /// For people.
  case table
  /// For programs.
  case json
}
