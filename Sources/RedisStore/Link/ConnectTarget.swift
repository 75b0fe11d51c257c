/// An address that needs no lookup.
enum ConnectTarget: Hashable, Sendable {
  /// An address in numbers, and a port.
  case tcp(numericHost: String, port: UInt16)
  /// The path of a Unix socket.
  case unix(path: String)
}

extension ConnectTarget {
  /// What a path of a Unix socket may have; hiredis would cut off the rest without a word.
  static let maximumPathLength = 107

  /// Why nothing can be there; nil: something can.
  var complaint: String? {
    guard case .unix(let path) = self else { return nil }
    let length = path.utf8.count
    guard length <= Self.maximumPathLength else {
      return "the path has \(length) bytes, more than the system's \(Self.maximumPathLength)"
    }
    return path.isEmpty || path.utf8.contains(0) ? "the path is empty or has a zero byte" : nil
  }
}
