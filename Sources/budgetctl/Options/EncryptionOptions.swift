import ArgumentParser
import BudgetClient

/// How the connection is encrypted.
struct EncryptionOptions: ParsableArguments {
  @Flag(help: "Encrypt, with the system's roots; implied by the other --tls options.")
  var tls = false

  @Option(
    help: ArgumentHelp(
      "The roots that the server's certificate has to lead to, in PEM (default: $BUDGETD_TLS_CA).",
      valueName: "file"),
    completion: .file())
  var tlsCa: String?

  @Option(
    help: ArgumentHelp(
      "The name that the server's certificate has to be for (default: the host of --server).",
      valueName: "name"))
  var serverName: String?

  @Option(
    help: ArgumentHelp("This client's certificate, in PEM.", valueName: "file"),
    completion: .file())
  var tlsCert: String?

  @Option(
    help: ArgumentHelp("The key of --tls-cert, in PEM.", valueName: "file"), completion: .file())
  var tlsKey: String?

  func validate() throws {
    if let serverName, serverName.isEmpty {
      throw ValidationError(
        "--server-name '': give the name in the server's certificate, or leave the option out "
          + "where that is the host of --server")
    }
  }

  /// As these options say, else those that stood before the subcommand, else the environment; nil:
  /// in the clear.
  func security(
    root: EncryptionOptions, environment: [String: String]
  ) -> BudgetClientSecurity? {
    var security = BudgetClientSecurity()
    let named = environment["BUDGETD_TLS_CA"].flatMap { $0.isEmpty ? nil : $0 }
    security.ca = tlsCa ?? root.tlsCa ?? named
    security.serverName = serverName ?? root.serverName
    security.certificate = tlsCert ?? root.tlsCert
    security.key = tlsKey ?? root.tlsKey
    let isAsked = tls || root.tls || security != BudgetClientSecurity()
    return isAsked ? security : nil
  }
}
