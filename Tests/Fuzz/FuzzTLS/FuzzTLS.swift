import TLS

/// One input: its first byte says how the rest is cut into reads and which side takes it in; the rest
/// is what the other side sends. Nothing crashes, and nothing comes out that was not encrypted.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTLS(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  guard let contexts = Contexts.shared else { preconditionFailure("no certificate") }
  guard let first = bytes.first else { return 0 }
  do throws(TLSFailure) {
    var toSend: [UInt8] = []
    if first & 1 == 0 {
      var session = try TLSSession(accepting: contexts.server)
      feed(bytes.dropFirst(), to: &session, step: Int(first) + 1)
    } else {
      var session = try TLSSession(
        connecting: contexts.client, to: "localhost", toSend: &toSend)
      feed(bytes.dropFirst(), to: &session, step: Int(first) + 1)
    }
  } catch {
    preconditionFailure("no session: \(error)")
  }
  return 0
}

private func feed(_ bytes: ArraySlice<UInt8>, to session: inout TLSSession, step: Int) {
  var rest = bytes
  var room = [UInt8](repeating: 0, count: 256 + TLSSession.extraBytes)
  while !rest.isEmpty {
    let part = Array(rest.prefix(step))
    rest = rest.dropFirst(step)
    var toSend: [UInt8] = []
    var span = room.mutableSpan
    var raw = unsafe span.mutableBytes
    let (count, outcome) = unsafe session.open(part.span.bytes, into: &raw, toSend: &toSend)
    precondition(count == 0, "bytes came out of a session whose other side has no keys")
    if case .goesOn = outcome { continue }
    return
  }
}

/// The two sides of a run; deploy/fuzz makes their certificate, which is its own root.
private struct Contexts: Sendable {
  static let shared = try? Contexts()
  let server: TLSContext
  let client: TLSContext

  init() throws {
    let certificate = ".build-fuzz/certificate.pem"
    var settings = TLSContext.Server(certificate: certificate, key: ".build-fuzz/certificate.key")
    settings.clientCA = certificate
    server = try TLSContext(settings)
    var client = TLSContext.Client()
    client.ca = certificate
    client.takesOlderVersion = true
    self.client = try TLSContext(client)
  }
}
