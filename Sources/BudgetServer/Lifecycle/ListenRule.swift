import Sockets

/// Whether addresses of a port may be listened on: other machines reach them only where clients have to say who
/// they are and connections are encrypted, or with leave.
struct ListenRule {
  /// Whether clients have to say who they are.
  private let hasAccess: Bool
  /// Whether connections are encrypted. The one place that says so.
  let isEncrypted: Bool
  private let allowsInsecureNetwork: Bool
  /// The way to encryption: files, or no `--http-tls off` where there are files.
  private let remedy: String
  /// Who may connect to Unix sockets: with an access file anybody, who is known by their user then;
  /// without one the server's own user and group.
  let unixMode: UInt32

  /// A port that listens.
  enum Port { case rpc, pages }

  init(_ options: ServerOptions, _ port: Port) {
    let security = options.security.flatMap { port == .rpc || $0.coversPages ? $0 : nil }
    let asksAll = security.map { $0.clientCA != nil && $0.requiresClientCertificate } ?? false
    hasAccess = options.accessFilePath != nil || asksAll
    isEncrypted = security != nil
    remedy =
      options.security != nil && security == nil
      ? "leave --http-tls on, with --access-file or --tls-client-ca"
      : "give --tls-cert and --tls-key with --access-file or --tls-client-ca"
    unixMode = options.accessFilePath == nil ? 0o660 : 0o666
    allowsInsecureNetwork = options.allowsInsecureNetwork
  }

  /// Whether other machines reach the address as it should not be.
  func isInsecure(_ endpoint: Endpoint) -> Bool {
    !endpoint.isLocal && !(hasAccess && isEncrypted)
  }

  /// How many endpoints there may be.
  private static let maximumEndpoints = 16

  /// Reads the values of `--listen`, beside sockets that were passed to the process.
  func endpoints(
    _ texts: [String], beside passed: PassedSockets
  ) throws(ServerError) -> [Endpoint] {
    for socket in passed.rpc { try check(socket.endpoint, of: PassedSockets.origin) }
    guard (1...Self.maximumEndpoints).contains(texts.count + passed.rpc.count) else {
      throw .usage(
        "--listen is given \(texts.count) times and \(passed.rpc.count) sockets were passed: "
          + "1 to \(Self.maximumEndpoints) endpoints in all")
    }
    var endpoints: [Endpoint] = []
    for text in texts {
      do throws(SocketError) {
        endpoints.append(try Endpoint(text))
      } catch {
        throw .usage("--listen \(error)")
      }
    }
    for endpoint in endpoints { try check(endpoint, of: "--listen") }
    return endpoints
  }

  /// The shortcoming of an address that other machines reach, in words.
  var shortcoming: String {
    switch (isEncrypted, hasAccess) {
    case (false, false): "nothing is encrypted or authenticated"
    case (false, true): "nothing is encrypted, tokens neither"
    case (true, _): "nobody has to say who they are"
    }
  }

  /// Reads the value of `option`. Throws if it is not an address, or may not be listened on.
  func address(_ text: String, of option: String) throws(ServerError) -> SocketAddress {
    let address: SocketAddress
    do throws(SocketError) {
      address = try SocketAddress(text)
    } catch {
      throw .usage("\(option) \(error)")
    }
    try check(.tcp(address), of: option)
    return address
  }

  /// Throws if `endpoint` may not be listened at.
  func check(_ endpoint: Endpoint, of option: String) throws(ServerError) {
    guard isInsecure(endpoint), !allowsInsecureNetwork else { return }
    throw .usage(
      "\(option) \(endpoint) is reached from other machines, and \(shortcoming): \(remedy); or listen "
        + "on 127.0.0.1 or unix:PATH; or say --insecure-network if the network is safe")
  }
}
