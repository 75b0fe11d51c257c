import Foundation

// The calls of the system that take a pointer. Each is lent what it reads or fills in for the length
// of the call, and keeps nothing.

extension Terminal.Size {
  /// The size of the terminal behind standard output, as the kernel knows it; nil: there is none.
  static func ofStandardOutput() -> Terminal.Size? {
    var size = winsize()
    let result = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
    guard result == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
    return Terminal.Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
  }
}

extension Terminal {
  /// Makes sure that what is written goes where it is meant to: where a standard descriptor is
  /// closed, the connection to the server would take its number, and be sent the output.
  static func holdDescriptors() throws(Failure) {
    guard fcntl(STDOUT_FILENO, F_GETFD) != -1 else {
      throw Failure("standard output is closed: nothing was asked of any server", .outputFailed)
    }
    for descriptor in [STDIN_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) == -1 {
      // The lowest free number, so this one. It stays open on purpose.
      _ = unsafe open("/dev/null", O_RDWR)
    }
  }
}
