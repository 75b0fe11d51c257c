import CEpoll
import Glibc

/// A Unix socket for single messages, to tell another process something.
public struct DatagramSocket: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private let address: ResolvedAddress

  /// A socket whose messages go to `path`; with `@` in front its name is an abstract one. Nil: there
  /// can be no such path, or the process is out of descriptors.
  public init?(to path: String) {
    guard let address = ResolvedAddress(datagramPath: path) else { return nil }
    let number = Glibc.socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { return nil }
    descriptor = Descriptor(adopting: number)
    self.address = address
  }

  /// Sends `text` as one message. False: nobody took it.
  @discardableResult
  public func send(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let sent = unsafe bytes.withUnsafeBytes { buffer in
      unsafe address.withAddress { address, size in
        Int32(
          truncatingIfNeeded: unsafe sendto(
            descriptor.number, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL), address, size)
        )
      }
    }
    return sent == bytes.count
  }
}
