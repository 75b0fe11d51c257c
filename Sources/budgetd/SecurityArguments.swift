import ArgumentParser
import BudgetServer

/// How connections are encrypted.
struct SecurityArguments: ParsableArguments {
  /// Whether each client has to show a certificate.
  enum ClientCertificate: String, CaseIterable, ExpressibleByArgument {
    case required, optional
  }

  /// Whether pages and metrics are encrypted too.
  enum Switch: String, CaseIterable, ExpressibleByArgument {
    case on, off
  }

  @Option(
    help: ArgumentHelp(
      """
      The certificate, and those that lead to its root, in PEM: RPC and pages are encrypted, TLS 1.3. \
      SIGHUP reads it and the key again.
      """, valueName: "file"))
  var tlsCert: String?

  @Option(
    help: ArgumentHelp(
      "The key of --tls-cert, in PEM, without a password, readable for its owner only.",
      valueName: "file"))
  var tlsKey: String?

  @Option(
    help: ArgumentHelp(
      "The roots of clients' certificates, in PEM: clients have to show one.", valueName: "file"))
  var tlsClientCa: String?

  @Option(help: "Whether a client may do without a certificate where there is --tls-client-ca.")
  var tlsClient = ClientCertificate.required

  @Option(help: "Whether pages and metrics are encrypted where there is --tls-cert.")
  var httpTls = Switch.on

  /// The server's options; nil: in the clear.
  func options() throws(ServerError) -> SecurityOptions? {
    guard let tlsCert, let tlsKey else {
      if tlsCert != nil { throw .usage("--tls-cert needs --tls-key, the file of its key") }
      if tlsKey != nil { throw .usage("--tls-key needs --tls-cert, the file of its certificate") }
      if tlsClientCa != nil { throw .usage("--tls-client-ca needs --tls-cert and --tls-key") }
      return nil
    }
    var options = SecurityOptions(certificate: tlsCert, key: tlsKey)
    options.clientCA = tlsClientCa
    options.requiresClientCertificate = tlsClient == .required
    options.coversPages = httpTls == .on
    return options
  }
}
