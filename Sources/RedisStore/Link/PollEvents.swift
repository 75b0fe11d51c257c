import Glibc

/// What a socket is waited for.
enum PollEvents {
  static let input = Int32(POLLIN)
  static let output = Int32(POLLOUT)
  static let inputAndOutput = Int32(POLLIN) | Int32(POLLOUT)
}
