import BudgetModel
import BudgetWire
import Sockets
import TCPTransport

/// The settings of a `RouterClient`, besides its addresses and `OnUnavailable`.
public struct RouterSettings: Sendable {
  /// How long `filter` waits at each address after its request was written.
  public var filterTimeout: Duration = .milliseconds(100)
  /// The same of `reserve` and `extend`: a fleet may wait 1 s for room.
  public var reserveTimeout: Duration = .milliseconds(1_500)
  /// How long a record waits for its answer before it is sent again.
  public var recordTimeout: Duration = .seconds(5)
  /// How long `budgets` and `ping` wait.
  public var callTimeout: Duration = .seconds(5)
  /// How long making a connection may take.
  public var connectTimeout: Duration = .seconds(1)
  /// The longest pause after one failure. It doubles with each further one; the pause itself is random,
  /// from a half of that to the whole.
  public var shortestPause: Duration = .milliseconds(50)
  /// The longest pause after any failure.
  public var longestPause: Duration = .seconds(5)
  /// How many records may be owed; past that `record` throws `outboxFull`.
  public var outboxRecords = 100_000
  /// The path of a folder in which what is owed outlives the process; nil: it does not. It has at most
  /// 80 bytes.
  public var journal: String?
  /// The token that says who the client is, shown first on each connection; nil: none is shown.
  public var token: BudgetClientToken?
  /// How connections are encrypted; nil: they are in the clear.
  public var security: BudgetClientSecurity?
  /// Told of all that no caller hears, such as a record that is refused; nil: standard error is. It may
  /// be called from anywhere, and must not block.
  public var log: (@Sendable (String) -> Void)?

  /// The standard settings, to be changed one by one.
  public init() {}
}

/// An address as it was given, which is how errors and journals name it.
struct RouterAddress: Hashable, Sendable {
  let text: String
  let endpoint: Endpoint

  init(_ text: String) throws(RouterError) {
    self.text = text
    do throws(SocketError) {
      endpoint = try Endpoint(text)
    } catch {
      throw Self.refused(text)
    }
    // Nobody listens there.
    if endpoint.address?.port == 0 { throw Self.refused(text) }
  }

  private static func refused(_ text: String) -> RouterError {
    .invalid("'\(text)' is not an address: give host:port or unix:PATH")
  }
}

/// A client's settings, checked.
struct RouterSetup: Sendable {
  let addresses: [RouterAddress]
  let opens: Bool
  let settings: RouterSettings
  let log: @Sendable (String) -> Void
  private let security: ClientSecurity?

  init(
    _ texts: [String], _ onUnavailable: OnUnavailable, _ settings: RouterSettings
  ) throws(RouterError) {
    self.settings = settings
    opens = onUnavailable == .open
    log = settings.log ?? { text in JournalFiles.complain("budgetd: \(text)\n") }
    var addresses: [RouterAddress] = []
    for text in texts { addresses.append(try RouterAddress(text)) }
    guard !addresses.isEmpty else {
      throw .invalid("no address is given: give host:port or unix:PATH")
    }
    self.addresses = addresses
    security = try Self.security(settings.security, addresses)
    // Said at the start, not at the first request.
    _ = try Self.token(settings.token)
  }

  var core: RouterCore.Settings {
    RouterCore.Settings(
      connectTimeout: settings.connectTimeout, recordTimeout: settings.recordTimeout,
      // Without any, a server that refuses would be asked without a rest.
      shortestPause: max(settings.shortestPause, .milliseconds(1)),
      longestPause: max(settings.longestPause, .milliseconds(1)))
  }

  private static func security(
    _ files: BudgetClientSecurity?, _ addresses: [RouterAddress]
  ) throws(RouterError) -> ClientSecurity? {
    guard let files else { return nil }
    if let address = addresses.first(where: { $0.endpoint.address == nil }) {
      throw .invalid("\(address.text) is not encrypted: leave tls_ca away, or give host:port")
    }
    do throws(BudgetClientError) {
      return ClientSecurity(try files.context(), serverName: files.serverName)
    } catch {
      throw .invalid(error.reason.description)
    }
  }

  /// The token, read anew: its file may have another by now.
  private static func token(_ token: BudgetClientToken?) throws(RouterError) -> String? {
    guard let token else { return nil }
    do throws(BudgetClientTokenFault) {
      return try token.read()
    } catch {
      throw .invalid(error.description)
    }
  }

  /// The call that says who the client is; nil: it does not say it.
  func introduction() throws(NoAnswer) -> [UInt8]? {
    do throws(RouterError) {
      guard let token = try Self.token(settings.token) else { return nil }
      return try Frame.body(of: .authenticate(token: token))
    } catch {
      throw NoAnswer(reason: error.description, mayHaveArrived: false)
    }
  }

  /// A record of a process that has ended: whoever owned it may have sent it to its address.
  func adopted(_ record: JournalFormat.Record) -> Owed {
    let place = addresses.firstIndex { $0.text == record.address }
    var owed = Owed(key: record.key, body: record.body, place: place ?? 0)
    owed.isBound = place != nil
    return owed
  }

  /// Makes a connection, in the words of all clients where that fails.
  func connect(
    to address: RouterAddress, onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) async throws(NoAnswer) -> ClientConnection {
    var bounds = ClientBounds()
    bounds.connectDuration = settings.connectTimeout
    do throws(TransportError) {
      return try await ClientConnection.connect(
        to: address.endpoint, bounds: bounds, security: security, onEvent: onEvent)
    } catch {
      throw NoAnswer(reason: Self.words(address, error, settings), mayHaveArrived: false)
    }
  }

  private static func words(
    _ address: RouterAddress, _ error: TransportError, _ settings: RouterSettings
  ) -> String {
    if case .socket(.connectTimedOut) = error {
      let milliseconds = settings.connectTimeout.roundedMilliseconds
      return "no connection to \(address.text): not within \(milliseconds) ms"
    }
    switch BudgetClientError.Reason.unreachable(server: address.endpoint, error) {
    case .unreachable(_, let why): return "no connection to \(address.text): \(why)"
    case .notSecure(_, let why): return "no encrypted connection to \(address.text): \(why)"
    case let reason: return reason.description
    }
  }
}
