import CTLS

/// One side of one encrypted connection: a codec between the bytes of a socket and those of its user.
/// It has no socket and no time; between calls it keeps at most part of a record.
///
/// It may go from one thread to another with its owner: nothing in it belongs to a thread, and calls
/// change it, so that no two can be under way.
@safe public struct TLSSession: ~Copyable, Sendable {
  /// The address of the C part. A number, since a pointer would tie the session to one thread.
  private let address: UInt

  private var session: UnsafeMutablePointer<ctls_session> {
    guard let pointer = unsafe UnsafeMutablePointer<ctls_session>(bitPattern: address) else {
      preconditionFailure("a session has a C part for as long as it lives")
    }
    return unsafe pointer
  }

  /// More than the ciphertext itself has: part of a record that came earlier is decrypted with it.
  public static let extraBytes = 2 * 16 * 1024

  /// Bytes that one record takes, and what it has beside them at most; a change of keys is one more.
  private static let recordBytes = 16 * 1024
  private static let recordOverhead = 64

  /// The outcome of taking in ciphertext.
  public enum Opening: Equatable, Sendable {
    /// It goes on.
    case goesOn
    /// The other side ended in good order: nothing follows.
    case ended
    /// It failed: send what is to be sent, then close. Nothing more can be sealed or opened.
    case failed(TLSFailure)
  }

  /// The session of a server's next connection.
  public init(accepting context: TLSContext) throws(TLSFailure) {
    address = UInt(bitPattern: unsafe try context.session(name: ""))
  }

  /// The session of a client's connection to the server `name`, a host name or an address in numbers.
  /// Appends the first bytes that have to be sent to `toSend`.
  public init(
    connecting context: TLSContext, to name: String, toSend: inout [UInt8]
  ) throws(TLSFailure) {
    address = UInt(bitPattern: unsafe try context.session(name: name))
    var output = unsafe ctls_output()
    var failure = ctls_failure()
    var nothing: UInt8 = 0
    var opened = 0
    _ = unsafe ctls_open(session, nil, 0, &nothing, 0, &opened, &output, &failure)
    unsafe Self.take(&output, to: &toSend)
  }

  deinit { unsafe ctls_session_free(session) }

  /// Takes in `ciphertext` and decrypts all of it to the start of `plaintext`, which has room for as
  /// many bytes and `extraBytes`. Until it is established it also does the handshake. Appends what
  /// has to be sent in answer to `toSend`, also after a failure.
  public mutating func open(
    _ ciphertext: RawSpan, into plaintext: inout MutableRawSpan, toSend: inout [UInt8]
  ) -> (byteCount: Int, outcome: Opening) {
    var output = unsafe ctls_output()
    var failure = ctls_failure()
    var opened = 0
    let outcome = unsafe ciphertext.withUnsafeBytes { input in
      unsafe plaintext.withUnsafeMutableBytes { room in
        guard let place = room.baseAddress else { return CTLS_GOES_ON }
        return unsafe ctls_open(
          session, input.baseAddress, input.count, place, room.count, &opened, &output, &failure)
      }
    }
    unsafe Self.take(&output, to: &toSend)
    switch outcome {
    case CTLS_GOES_ON: return (opened, .goesOn)
    case CTLS_ENDED: return (opened, .ended)
    default: return (opened, .failed(TLSFailure(failure)))
    }
  }

  /// Encrypts `bytes` and appends the ciphertext to `toSend`. Only once established. False: it failed,
  /// as it does after a failure of `open`.
  public mutating func seal(_ bytes: ArraySlice<UInt8>, toSend: inout [UInt8]) -> Bool {
    if bytes.isEmpty { return true }
    // Straight to its place: a buffer of its own for each record costs more than a copy.
    let room = bytes.count + (bytes.count / Self.recordBytes + 2) * Self.recordOverhead
    var isSealed = false
    toSend.append(addingCapacity: room) { place in
      unsafe place.withUnsafeMutableBufferPointer { space, used in
        var output = unsafe ctls_output(
          bytes: space.baseAddress, used: 0, room: room, is_lent: true)
        var failure = ctls_failure()
        isSealed = unsafe bytes.withUnsafeBytes { bytes in
          guard let base = bytes.baseAddress else { return true }
          return unsafe ctls_seal(session, base, bytes.count, &output, &failure)
        }
        used = unsafe output.used
      }
    }
    return isSealed
  }

  /// Says that nothing more is sent. Not after a failure.
  public mutating func end(toSend: inout [UInt8]) {
    var output = unsafe ctls_output()
    unsafe ctls_shutdown(session, &output)
    unsafe Self.take(&output, to: &toSend)
  }

  /// Moves ciphertext to the caller's buffer.
  private static func take(_ output: inout ctls_output, to toSend: inout [UInt8]) {
    guard let bytes = unsafe output.bytes else { return }
    unsafe toSend.append(contentsOf: UnsafeBufferPointer(start: bytes, count: output.used))
    unsafe free(bytes)
    unsafe output = ctls_output()
  }

  /// Whether the handshake is done.
  public var isEstablished: Bool { unsafe ctls_is_established(session) }

  /// Whether part of a record has come and its end has not.
  public var isMidRecord: Bool { unsafe ctls_is_mid_record(session) }

  /// The names in the other side's certificate, verified: `uri:NAME`, `dns:NAME`, `cn:NAME`; empty
  /// where it showed none. Names with bytes that no name has, patterns, and common names where
  /// there are two, are left out.
  public var peerNames: [String] {
    var names = ctls_names()
    unsafe ctls_peer_names(session, &names)
    let used = names.used
    let lines = unsafe withUnsafeBytes(of: &names.lines) { bytes in
      unsafe String(decoding: bytes.prefix(used), as: UTF8.self)
    }
    return lines.split(separator: "\n").map(String.init)
  }

  /// The protocol's version: `TLSv1.3`.
  public var version: String { unsafe String(cString: ctls_version(session)) }
}
