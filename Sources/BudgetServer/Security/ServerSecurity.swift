import BudgetModel
import BudgetPages
import Dispatch
import Locks
import Logging
import SecretFiles
import Sockets
import TCPTransport
import TLS

/// The certificates that are in force, and what becomes of them.
final class ServerSecurity: Sendable {
  /// A certificate that ends sooner is warned of.
  private static let warnedSeconds: Int64 = 14 * 86_400
  /// Handshakes that fail are named in the log no more often than this, by kind.
  private static let logInterval = Duration.seconds(10)
  private static let mostKeyBytes = 64 * 1024

  private struct Named {
    var since: MonotonicInstant
    var omitted = 0
  }

  private let options: SecurityOptions
  private let log: Logger
  private let inForce: Locked<TLSContext>
  private let named = Locked<[TLSFailure.Kind: Named]>([:])
  /// Told of each context that comes into force after the first.
  private let onRenewal = Hook<TLSContext>()

  /// Reads the files. Throws where they are not what they have to be, or over.
  init(_ options: SecurityOptions, log: Logger, at now: Timestamp) throws(ServerError) {
    self.options = options
    self.log = log
    do throws(Refusal) {
      inForce = Locked(try Self.context(options, at: now))
    } catch {
      throw .files("\(error.text)")
    }
  }

  /// The context of the next connection.
  var context: TLSContext { inForce.withLock { $0 } }

  /// The security of the RPC port.
  var transport: TransportSecurity {
    TransportSecurity(context) { [weak self] failure, peer in self?.note(failure, of: peer) }
  }

  /// The context of a page's next connection; nil: pages are in the clear.
  var pages: (@Sendable () -> TLSContext)? {
    guard options.coversPages else { return nil }
    return { self.context }
  }

  /// Sets who is told of each context that comes into force from now on.
  func whenRenewed(_ tell: @escaping @Sendable (TLSContext) -> Void) {
    onRenewal.set(tell)
  }

  /// Reads the files again. Files that are refused leave the old ones in force; the log says why.
  func reload(at now: Timestamp) -> FileReload {
    var outcome = FileReload()
    do throws(Refusal) {
      let context = try Self.context(options, at: now)
      let before = inForce.withLock { exchange(&$0, with: context) }
      onRenewal(context)
      log.notice("read the certificate \(options.certificate) again\(Self.ending(context, now))")
      if (before.certificateEnd, before.clientCAEnd)
        != (context.certificateEnd, context.clientCAEnd)
      {
        outcome.changes.append(
          "the certificate \(options.certificate) is another one\(Self.ending(context, now))")
      }
      if let warning = warning(at: now) {
        log.warning("\(warning)")
        outcome.warnings.append(warning)
      }
    } catch {
      log.error("reload of the certificate refused, the one in force stays: \(error.text)")
      outcome.refusals.append("the certificate is refused, the one in force stays: \(error.text)")
    }
    return outcome
  }

  /// A certificate that ends soon, or has; nil: none does.
  func warning(at now: Timestamp) -> String? {
    let context = context
    let ends = [
      (context.certificateEnd, "certificate \(options.certificate)"),
      (context.clientCAEnd, "root \(options.clientCA ?? "") of clients' certificates"),
    ]
    for (end, name) in ends {
      guard let end else { continue }
      let left = end - now.unixMilliseconds / 1_000
      if left <= 0 { return "the \(name) is over: renew it, then send SIGHUP" }
      if left < Self.warnedSeconds {
        let days = left / 86_400
        return
          "the \(name) ends in \(days) \(days == 1 ? "day" : "days"): renew it, then send SIGHUP"
      }
    }
    return nil
  }

  /// A handshake failed: now and then a line says so.
  func note(_ failure: TLSFailure, of peer: Peer) {
    let now = MonotonicInstant.now()
    let omitted: Int? = named.withLock { named in
      guard let last = named[failure.kind] else {
        named[failure.kind] = Named(since: now)
        return 0
      }
      if now.duration(since: last.since) < Self.logInterval {
        named[failure.kind]?.omitted += 1
        return nil
      }
      named[failure.kind] = Named(since: now)
      return last.omitted
    }
    guard let omitted else { return }
    let others = omitted == 0 ? "" : "; \(omitted) more of this kind since the last such line"
    log.info(
      "a TLS handshake with \(peer.address ?? "a peer") failed: \(Self.words(failure))\(others)")
  }

  private static func words(_ failure: TLSFailure) -> String {
    switch failure.kind {
    case .noCertificate: "it showed no certificate, and --tls-client-ca asks for one"
    case .unknownCA: "its certificate does not lead to a root of --tls-client-ca"
    case .expired: "its certificate is not valid now"
    case .purpose: "its certificate is not for a client"
    case .protocolVersion: "it does not speak TLS 1.3"
    case .plaintext: "it does not speak TLS (\(failure.description))"
    case .refused: "it refused this server's certificate (\(failure.description))"
    case .name, .timeout, .other: failure.description
    }
  }

  private struct Refusal: Error { let text: String }

  private static func context(
    _ options: SecurityOptions, at now: Timestamp
  ) throws(Refusal) -> TLSContext {
    do throws(SecretFileError) {
      _ = try SecretFile.bytes(path: options.key, atMost: mostKeyBytes)
    } catch {
      throw Refusal(text: "--tls-key \(options.key): \(error)")
    }
    var settings = TLSContext.Server(certificate: options.certificate, key: options.key)
    settings.clientCA = options.clientCA
    settings.requiresClientCertificate = options.requiresClientCertificate
    let context: TLSContext
    do throws(TLSFailure) {
      context = try TLSContext(settings)
    } catch {
      let files = [options.certificate, options.key, options.clientCA].compactMap { $0 }
      throw Refusal(
        text: "the certificate, its key or the roots cannot be used: \(error.description) "
          + "(\(files.joined(separator: ", ")))")
    }
    guard let end = context.certificateEnd, end > now.unixMilliseconds / 1_000 else {
      throw Refusal(text: "--tls-cert \(options.certificate): the certificate is over: renew it")
    }
    return context
  }

  private static func ending(_ context: TLSContext, _ now: Timestamp) -> String {
    guard let end = context.certificateEnd else { return "" }
    return ": valid for \((end - now.unixMilliseconds / 1_000) / 86_400) more days"
  }
}

extension ServerSecurity {
  /// The counts and ends of certificates, for pages.
  func reading(_ traffic: TransportCounters, _ http: [TLSFailure.Kind: Int], done: Int)
    -> SecurityReading
  {
    var reading = SecurityReading()
    reading.ends = [
      ("server", context.certificateEnd), ("client_ca", context.clientCAEnd),
    ].compactMap { use, end in end.map { (use, $0) } }
    reading.cuts = traffic.secureCuts
    let rpc = traffic.handshakes ?? HandshakeCounts()
    reading.handshakes = [("rpc", "ok", rpc.done)]
    for kind in TLSFailure.Kind.allCases {
      reading.handshakes.append(("rpc", kind.rawValue, rpc.failed[kind] ?? 0))
    }
    guard options.coversPages else { return reading }
    reading.handshakes.append(("http", "ok", UInt64(done)))
    for kind in TLSFailure.Kind.allCases {
      reading.handshakes.append(("http", kind.rawValue, UInt64(http[kind] ?? 0)))
    }
    return reading
  }
}
